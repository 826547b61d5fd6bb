"""The JSON schema of ``function.toml``, and questions about single keys."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from itertools import zip_longest
from typing import cast

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from wasm_grpc.manifest.layout import Key, key_text
from wasm_grpc.manifest.quantities import AS_WRITTEN
from wasm_grpc.manifest.tables import FunctionManifest

__all__ = ["KeySchema", "manifest_schema", "schema_text"]

_Node = Mapping[str, object]


def manifest_schema() -> dict[str, object]:
    """
    Return the JSON schema of a manifest (draft 2020-12), with defaults as an author would write them.
    """
    schema = TypeAdapter(FunctionManifest).json_schema(schema_generator=_AuthorSchema)
    return {
        "$schema": _AuthorSchema.schema_dialect,
        **schema,
        "title": "function.toml",
        "description": "The manifest of a function that wasm-grpc serves.",
    }


def schema_text() -> str:
    """
    Return the JSON schema as the text of a file for editors.
    """
    return json.dumps(manifest_schema(), indent=2) + "\n"


class _AuthorSchema(GenerateJsonSchema):
    """
    The schema from the author's view: without null, which TOML lacks, and without defaults of whole tables.
    """

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        inner = schema["schema"]
        write = inner.get("metadata", {}).get(AS_WRITTEN)
        default = schema.get("default")
        if default is None or is_dataclass(default):
            return self.generate_inner(inner)
        if write is None:
            return super().default_schema(schema)
        return self.generate_inner(inner) | {"default": write(default)}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's
        return False


class KeySchema:
    """
    Answers questions about the manifest's keys from its JSON schema.
    """

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root: _Node = manifest_schema()

    def keys_of(self, table: Key) -> tuple[str, ...]:
        """
        Return the keys that a table may have; none if the value is not a table.
        """
        node = self._node(table)
        return () if node is None else tuple(_table(node, "properties"))

    def expected(self, key: Key) -> str:
        """
        Return a description of a key's value, with an example if there is one.
        """
        described = _table(self._node(key[:-1]) or {}, "properties").get(str(key[-1]), {})
        if not isinstance(described, Mapping):
            return "a value"
        description = str(described.get("description", "a value")).rstrip(".")
        examples = described.get("examples")
        example = f", such as {examples[0]!r}" if isinstance(examples, list) else ""
        return description[:1].lower() + description[1:] + example

    def elsewhere(self, name: str) -> str | None:
        """
        Return where else a key called `name` exists, outside of arrays, or None.
        """
        return next((key_text(key) for key in self._paths(()) if key[-1] == name), None)

    def _paths(self, table: Key) -> Iterator[Key]:
        keys = self.keys_of(table)
        yield from ((*table, key) for key in keys)
        for key in keys:
            yield from self._paths((*table, key))

    def _node(self, key: Key) -> _Node | None:
        node: _Node | None = self._root
        for part, below in zip_longest(key, key[1:]):
            if node is None:
                return None
            kind = "array" if isinstance(below, int) else "object"
            if isinstance(part, int):
                node = self._resolve(node.get("items"), kind)
                continue
            named = _table(node, "properties").get(part)
            free = next(iter(_table(node, "patternProperties").values()), node.get("additionalProperties"))
            node = self._resolve(free if named is None else named, kind)
        return node

    def _resolve(self, node: object, kind: str) -> _Node | None:
        """
        Follow references. Of several alternatives take the one of this kind, or else the table or array.
        """
        if not isinstance(node, Mapping):
            return None
        if "$ref" in node:
            name = str(node["$ref"]).rpartition("/")[2]
            return self._resolve(_table(self._root, "$defs").get(name), kind)
        alternatives = node.get("anyOf", node.get("oneOf"))
        if not isinstance(alternatives, list):
            return node
        nodes = [self._resolve(alternative, kind) for alternative in alternatives]
        kinds = (kind, "object", "array")
        return next((each for wanted in kinds for each in nodes if each and each.get("type") == wanted), node)


def _table(node: _Node, key: str) -> _Node:
    return cast("_Node", node.get(key, {}))
