"""What is written about the manifest for people and for editors, against its definitions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wasm_grpc.manifest.schema import manifest_schema, schema_text

DOCS = Path(__file__).parents[3] / "docs"

Row = tuple[str, str]
"""Type and default of a key, as the reference writes them."""

_SCHEMA: Mapping[str, Any] = manifest_schema()
_HEADING = re.compile(r"## (?:`\[*(?P<table>[a-z.]+)\]*`)?")
_ROW = re.compile(r"\| `(?P<key>[A-Za-z0-9_.]+)` \| (?P<type>.+?) \| (?P<default>.+?) \| .+ \|")
_HEAD = "| key | type | default | meaning |"


def test_the_schema_file_is_the_definitions_own() -> None:
    """docs/function.schema.json is what the definitions give; `make schema` writes it anew."""
    assert (DOCS / "function.schema.json").read_text("utf-8") == schema_text()


def test_the_reference_has_every_key() -> None:
    """docs/manifest.md has each key, and no other, with its type or unit and its default."""
    documented = dict(_documented((DOCS / "manifest.md").read_text("utf-8")))

    then = _rows(_SCHEMA["$defs"]["Then"], "then.")
    assert documented == {**dict(_rows(_SCHEMA, "")), **dict(then)}


def _documented(text: str) -> Iterator[tuple[str, Row]]:
    """Return the rows of the reference's tables of keys, each key behind the table its section is about."""
    table, is_keys = "", False
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            table = f"{heading['table']}." if heading["table"] else ""
        is_keys = line.startswith("|") and (is_keys or line == _HEAD)
        if is_keys and (row := _ROW.fullmatch(line)):
            yield table + row["key"], (row["type"], row["default"])


def _rows(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Row]]:
    """Return every key below a table; `then` alone is told in a section of its own."""
    for name, described in table["properties"].items():
        default = "required" if name in table.get("required", ()) else _default(described)
        if name == "then":
            yield prefix + name, ("table or list of tables", default)
        else:
            yield from _row(_resolved(described), prefix + name, default)


def _row(node: Mapping[str, Any], key: str, default: str) -> Iterator[tuple[str, Row]]:
    if node.get("type") == "array" and "properties" in (item := _resolved(node["items"])):
        node = item
    if "properties" in node:
        yield from _rows(node, f"{key}.")
    elif "patternProperties" in node:
        (value,) = node["patternProperties"].values()
        for each in value.get("oneOf", [value]):
            yield from _row(_resolved(each), f"{key}.NAME", "none")
    else:
        yield key, (_type(node), default)


def _resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in node:
        return node
    found: Mapping[str, Any] = _SCHEMA["$defs"][node["$ref"].rpartition("/")[2]]
    return found


def _default(described: Mapping[str, Any]) -> str:
    if "default" not in described:
        return "none"
    value = described["default"]
    return f"`{value if isinstance(value, str) else str(value).lower()}`"


def _type(node: Mapping[str, Any]) -> str:
    """Say what a key holds, in the reference's words."""
    if "enum" in node:
        *most, last = (f"`{value}`" for value in node["enum"])
        return "verbs" if "GET" in node["enum"] else f"{', '.join(most)} or {last}"
    if "const" in node:
        return f"`{node['const']}`"
    alternatives = node.get("oneOf", []) if "mapping" not in node.get("discriminator", {}) else []
    if isinstance(node.get("type"), list):
        alternatives = [{**node, "type": kind} for kind in node["type"]]
    if alternatives:
        return " or ".join(map(_type, alternatives))
    if node.get("type") == "array":
        return f"list of {_type(_resolved(node['items']))}"
    pattern = node.get("anyOf", [node])[0].get("pattern", "")
    unit = "size" if "MiB" in pattern else "duration" if ")ms)" in pattern else ""
    if unit:
        return f"{unit} or `unlimited`" if "unlimited" in pattern else unit
    return {"string": "text", "integer": "number", "boolean": "true or false"}[node["type"]]
