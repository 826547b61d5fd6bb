"""Helpers for checking manifest values: errors, and checks that also appear in the JSON schema."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from wasm_grpc.manifest.wording import kind_of, shown

__all__ = ["TABLE", "WRONG", "Matches", "not_a", "wrong"]

TABLE = ConfigDict(extra="forbid")
"""Configuration of every table of the manifest: unknown keys are errors."""

WRONG = "wrong"
"""Type of pydantic errors whose message is written here."""


def wrong(what: str, expected: str, *, key: str = "") -> PydanticCustomError:
    """
    Return a pydantic error with a message of our own.

    Args:
        what: What is wrong with the value.
        expected: What was expected.
        key: The faulty key, if it lies below the table that was checked.
    """
    return PydanticCustomError(WRONG, "{problem}", {"problem": f"{what}; expected {expected}", "key": key})


def not_a(value: object, wanted: str) -> str:
    """
    Describe a value that isn't what was wanted: by its text if it is a string, else by its type.
    """
    if isinstance(value, str):
        return f"{shown(value)} is not {wanted}" if value else "is empty"
    return kind_of(value)


@dataclass(frozen=True, slots=True)
class Matches:
    """
    Annotation of a string type: the whole string must match a pattern.

    Attributes:
        pattern: A regular expression in the syntax that Python and JavaScript share.
        expected: What was expected, for the message.
    """

    pattern: str
    expected: str

    def __get_pydantic_core_schema__(self, source: object, inner: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, inner(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, inner: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return inner(schema) | {"pattern": f"^(?:{self.pattern})$"}

    def _check(self, text: str) -> str:
        if re.fullmatch(self.pattern, text) is None:
            raise wrong(f"{shown(text)} is not allowed" if text else "is empty", self.expected)
        return text
