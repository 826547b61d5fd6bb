"""The manifest's string types: checks of each kind of name, path, reference and template."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainValidator,
    StrictStr,
    Tag,
    WithJsonSchema,
)

from wasm_grpc.core.model import EngineName
from wasm_grpc.manifest.checks import Matches, not_a, wrong
from wasm_grpc.manifest.layout import REMOTE_SCHEMES
from wasm_grpc.manifest.methods import MethodPattern, parse_method_pattern
from wasm_grpc.manifest.templates import PLACEHOLDERS, first_placeholder, template_fault
from wasm_grpc.manifest.wording import shown

__all__ = [
    "Argument",
    "Arguments",
    "EngineChoice",
    "FunctionName",
    "Grant",
    "GuestPath",
    "MediaType",
    "Metadata",
    "Method",
    "MethodGrant",
    "ModuleReference",
    "RelativePath",
    "SecretName",
    "Sha256",
    "Sql",
    "Template",
    "Text",
    "VariableName",
    "Verb",
    "check_grant",
    "check_method_grant",
]

_QUERY = "query"
_ENGINES = {"auto": None, "wasmer": EngineName.WASMER, "wasmtime": EngineName.WASMTIME}

# RFC 9110, 8.3.1: type "/" subtype, then parameters.
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_MEDIA_TYPE = rf"{_TOKEN}/{_TOKEN}(?:[ ]*;[ ]*{_TOKEN}=(?:{_TOKEN}|\"[ !#-\[\]-~]*\"))*"

# What no request can name; see `_app_method` in `wasm_grpc.dapr.guest_methods`.
_NO_METHOD = re.compile(r"/|.*[\x00-\x1f\x7f?#\\]|(?:.*/)?\.\.?(?:[/;]|$)", re.DOTALL)


_SQL = "sql"
"""The metadata in which Dapr's bindings of SQL databases find the statement."""


class Sql(str):
    """
    A statement of SQL, which is no template: it can have braces, and nothing is filled in.
    """

    __slots__ = ()


class Verb(str, enum.Enum):
    """
    The verbs that Dapr forwards (``HTTPExtension.Verb`` in Dapr's common.proto).
    """

    GET = "GET"
    HEAD = "HEAD"
    POST = "POST"
    PUT = "PUT"
    DELETE = "DELETE"
    CONNECT = "CONNECT"
    OPTIONS = "OPTIONS"
    TRACE = "TRACE"
    PATCH = "PATCH"


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise wrong(f"{shown(text)} has a NUL character", "text without it")
    return text


def _relative(text: str) -> str:
    path = PurePosixPath(text)
    expected = "a path below the function's folder, such as 'model/model.tflite'"
    if path.is_absolute():
        raise wrong(f"{shown(text)} is an absolute path", expected)
    # Refused here as text. Links are followed and checked when the file is read.
    if ".." in path.parts:
        raise wrong(f"{shown(text)} has a '..'", expected)
    if not path.parts or "\0" in text or "\\" in text:
        raise wrong(not_a(text, "a path"), expected)
    return text


def _module(text: str) -> str:
    if "://" not in text:
        return _relative(text)
    if not text.startswith(REMOTE_SCHEMES) or text in REMOTE_SCHEMES:
        raise wrong(not_a(text, "a module"), "a file below the function's folder, 'https://…' or 'oci://…'")
    return _without_nul(text)


def _guest_path(text: str) -> str:
    if text == "/":
        return text
    _, *parts = text.split("/")
    if not text.startswith("/") or "\0" in text or not all(parts) or {".", ".."} & set(parts):
        raise wrong(not_a(text, "a guest path"), "an absolute path without '.' and '..', such as '/model'")
    if parts[0] == "tmp":
        raise wrong(f"{shown(text)} is in the guest's scratch folder", "a path outside '/tmp'")
    return text


def _method(value: object) -> MethodPattern:
    expected = "a method such as 'grayscale' or 'api/image', or a prefix such as 'orders/*'"
    if not isinstance(value, str):
        raise wrong(not_a(value, "a method"), expected)
    pattern = parse_method_pattern(value)
    if isinstance(pattern, str):
        raise wrong(f"{shown(value)} {pattern}", expected)
    return pattern


def _template(text: str) -> str:
    fault = template_fault(_without_nul(text))
    if fault is not None:
        *most, last = PLACEHOLDERS
        raise wrong(f"{shown(fault)} is not a placeholder", f"{', '.join(most)} or {last}")
    return text


def _marked_sql(metadata: object) -> object:
    if isinstance(metadata, dict) and isinstance(metadata.get(_SQL), str):
        return {**metadata, _SQL: Sql(metadata[_SQL])}
    return metadata


def _sql(text: str) -> Sql:
    # A value that is part of the statement could change what the statement does.
    if placeholder := first_placeholder(_without_nul(text)):
        raise wrong(
            f"has the placeholder {shown(placeholder)}",
            "a parameter such as $1 in its place, and the placeholder in the list 'params' beside it",
        )
    if not text:
        raise wrong("is empty", "a statement of SQL")
    return Sql(text)


def _metadata_tag(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "<list>"
    return "<sql>" if isinstance(value, Sql) else "<text>"


def _engine(value: object) -> EngineName | None:
    if not isinstance(value, str) or value not in _ENGINES:
        raise wrong(not_a(value, "an engine"), "'auto', 'wasmer' or 'wasmtime'")
    return _ENGINES[value]


def check_grant(text: str) -> str:
    """
    Return a grant of a call to Dapr as it is.

    Raises:
        PydanticCustomError: It is none. This is a `ValueError`.
    """
    component, _, rest = text.partition("/")
    if not component or not rest or "*" in component:
        raise wrong(not_a(text, "a grant"), "'<component>/<name>', such as 'statestore/orders-*'")
    if "*" in rest[:-1]:
        raise wrong(f"{shown(text)} has a '*' before its end", "'*' only at the end")
    return _without_nul(text)


def check_method_grant(text: str) -> str:
    """
    Return a grant of an app's methods as it is.

    Raises:
        PydanticCustomError: It is no grant, or of a method that is always refused. This is a `ValueError`.
    """
    check_grant(text)
    _, _, method = text.partition("/")
    if _NO_METHOD.match(method):
        raise wrong(
            f"{shown(text)} names a method that can't be called",
            "'<app>/<method>', the method without a '/' first, a '?', '#', '\\', control character or a"
            " segment '.' or '..'",
        )
    return text


def _query_keyword(value: object) -> object:
    if value != _QUERY:
        raise wrong(
            f"{shown(value)} is a string", f"an array, or {_QUERY!r} for the parts of each request's query"
        )
    return value


# A tagged union: without tags pydantic would report the errors of both alternatives.
def _arguments_tag(value: object) -> str:
    return "<word>" if isinstance(value, str) else "<list>"


FunctionName = Annotated[
    StrictStr,
    Matches(
        "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
        "up to 63 lower-case letters, digits and '-', a letter or digit first and last",
    ),
]
Sha256 = Annotated[StrictStr, Matches("[0-9a-f]{64}", "64 lower-case hexadecimal digits")]
VariableName = Annotated[
    StrictStr, Matches("[A-Za-z_][A-Za-z0-9_]*", "letters, digits and '_', no digit first")
]
MediaType = Annotated[StrictStr, Matches(_MEDIA_TYPE, "a media type such as 'image/png'")]
SecretName = Annotated[
    StrictStr, Matches(r"[^/\x00]+/[^\x00]+", "'<store>/<key>', such as 'local-store/DB_URL'")
]
Text = Annotated[StrictStr, Matches(r"[^\x00-\x1f\x7f]+", "text without control characters")]
Argument = Annotated[StrictStr, AfterValidator(_without_nul)]
Arguments = Annotated[
    Annotated[tuple[Argument, ...], Tag("<list>")]
    | Annotated[Literal["query"], BeforeValidator(_query_keyword), Tag("<word>")],
    Discriminator(_arguments_tag),
]
RelativePath = Annotated[StrictStr, AfterValidator(_relative)]
ModuleReference = Annotated[StrictStr, AfterValidator(_module)]
GuestPath = Annotated[StrictStr, AfterValidator(_guest_path)]
Template = Annotated[StrictStr, Field(min_length=1), AfterValidator(_template)]
_MetadataValue = Annotated[
    Annotated[tuple[Template, ...], Tag("<list>")]
    | Annotated[Sql, PlainValidator(_sql), Tag("<sql>")]
    | Annotated[Template, Tag("<text>")],
    Discriminator(_metadata_tag),
    WithJsonSchema(
        {"type": ["string", "array"], "minLength": 1, "items": {"type": "string", "minLength": 1}}
    ),
]
Metadata = Annotated[Mapping[Text, _MetadataValue], BeforeValidator(_marked_sql)]
"""Metadata of a binding's operation: templates, lists of them, and a statement of SQL under ``sql``."""

Grant = Annotated[StrictStr, AfterValidator(check_grant)]
MethodGrant = Annotated[StrictStr, AfterValidator(check_method_grant)]
Method = Annotated[MethodPattern, PlainValidator(_method), WithJsonSchema({"type": "string", "minLength": 1})]
EngineChoice = Annotated[
    EngineName | None, PlainValidator(_engine), WithJsonSchema({"enum": sorted(_ENGINES), "default": "auto"})
]
