"""Turn pydantic's validation errors into one line for each problem."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wasm_grpc.manifest.checks import WRONG, not_a
from wasm_grpc.manifest.layout import Key, key_text
from wasm_grpc.manifest.schema import KeySchema
from wasm_grpc.manifest.wording import closest, enumerate_names, kind_of, shown

__all__ = ["problem_lines"]

_TABLE = "a table"
_ARRAY = "an array"
_EXPECTED = {
    "bool_type": "true or false",
    "dataclass_type": _TABLE,
    "dict_type": _TABLE,
    "int_type": "a whole number",
    "mapping_type": _TABLE,
    "string_type": "a string",
    "tuple_type": _ARRAY,
}
"""What was expected, by pydantic's type of error, for values of the wrong TOML type."""

_MARKS = frozenset({"<text>", "<secret>", "<list>", "<sql>", "<word>", "<table>", "<tables>", "[key]"})
"""Parts of an error's location that are not keys: our union tags, and pydantic's mark for a mapping's key."""


def problem_lines(error: ValidationError) -> tuple[str, ...]:
    """
    Return one line for each error: ``<key>: <what is wrong>; expected <what>``.
    """
    return tuple(_line(details, _key_schema()) for details in error.errors(include_url=False))


@functools.cache
def _key_schema() -> KeySchema:
    # Built only if there are errors, and once: it takes 50 ms, far longer than reading a manifest.
    return KeySchema()


def _line(details: ErrorDetails, schema: KeySchema) -> str:
    *above, last = details["loc"] or ("manifest",)
    table = tuple(part for part in above if part not in _MARKS)
    if details["type"] == "unexpected_keyword_argument":
        return f"{key_text((*table, last))}: unknown key; {_suggestion(table, str(last), schema)}"
    key = table if last in _MARKS else (*table, last)
    if details["type"] == "missing":
        return f"{key_text(key)}: missing; expected {schema.expected(key)}"
    return _wrong_value(key, details, schema)


def _suggestion(table: Key, name: str, schema: KeySchema) -> str:
    siblings = schema.keys_of(table)
    near = closest(name, siblings)
    meant = key_text((*table, near)) if near else schema.elsewhere(name)
    return f"did you mean '{meant}'?" if meant else f"expected {enumerate_names(siblings)}"


def _wrong_value(key: Key, details: ErrorDetails, schema: KeySchema) -> str:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == WRONG:
        below = str(context["key"])
        at = key if not below else (*(key if details["loc"] else ()), *below.split("."))
        return f"{key_text(at)}: {context['problem']}"
    if kind in _EXPECTED:
        expected = _EXPECTED[kind]
        if expected == _ARRAY and schema.keys_of((*key, 0)):
            expected = f"an array of tables, each under [[{key_text(key)}]]"
        return f"{key_text(key)}: {kind_of(value)}; expected {expected}"
    return f"{key_text(key)}: {_constraint_problem(kind, value, context)}"


def _constraint_problem(kind: str, value: object, context: Mapping[str, object]) -> str:
    if kind == "enum":
        return f"{not_a(value, 'known here')}; expected {context['expected']}"
    if kind == "greater_than_equal":
        return f"{shown(value)} is too small; expected at least {context['ge']}"
    if kind == "less_than_equal":
        return f"{shown(value)} is too large; expected at most {context['le']}"
    if kind == "string_too_short":
        return "is empty; expected text"
    return f"{shown(value)} is not allowed; expected a value as in docs/manifest.md"
