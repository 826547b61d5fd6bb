"""The manifest's types for durations, sizes and counts, each with its range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler, StrictInt
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from wasm_grpc.core.model import MIB, PAGE_BYTES
from wasm_grpc.manifest.checks import not_a, wrong
from wasm_grpc.manifest.units import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)
from wasm_grpc.manifest.wording import shown

__all__ = [
    "AS_WRITTEN",
    "BodySize",
    "Count",
    "Duration",
    "MemorySize",
    "OptionalDuration",
    "OutputSize",
    "PositiveCount",
    "ScratchSize",
    "StderrSize",
    "TimeToLive",
    "Timeout",
    "Wait",
]

AS_WRITTEN = "wasm_grpc_as_written"
"""Metadata key of a schema: a function that formats a default as an author would write it."""

_UNLIMITED = "unlimited"

_DAY_S = 24 * 3600.0
"""Longest duration: no caller waits longer."""

_TTL_LIMIT_S = 10 * 365 * _DAY_S
"""Ten years: what is to stay longer needs no time to live."""

_MEMORY_LIMIT_BYTES = 65_535 * PAGE_BYTES
"""One page less than WebAssembly's 4 GiB: Wasmer shows a memory of 4 GiB as an empty buffer."""

_BODY_LIMIT_BYTES = 2046 * MIB
"""gRPC's message length is an int32, and the server accepts 1 MiB more than the largest body."""

_GIB = 1024 * MIB
_SCRATCH_LIMIT_BYTES = 4 * _GIB
"""The scratch folder is held in memory, like the guest's own memory."""

_OUTPUT_LIMIT_BYTES = 1024 * _GIB
"""Only a stream can reach it. Whoever wants more should write "unlimited"."""

_STDERR_LIMIT_BYTES = MIB
"""Well below the limit on a frame's head (`core.wire`), which carries it."""


@dataclass(frozen=True, slots=True)
class _DurationIn:
    """
    Annotation of a type: written as a duration, read as seconds; None if unlimited.
    """

    least_s: float = 0.001
    most_s: float = _DAY_S
    unlimited: bool = False

    def __get_pydantic_core_schema__(self, source: object, inner: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read, metadata={AS_WRITTEN: format_duration}
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, inner: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": _pattern(DURATION_PATTERN, unlimited=self.unlimited)}

    def _read(self, value: object) -> float | None:
        if self.unlimited and value == _UNLIMITED:
            return None
        seconds = parse_duration(value) if isinstance(value, str) else None
        if seconds is None:
            raise wrong(
                not_a(value, "a duration"),
                "a duration such as '5s', '50ms' or '1m30s'" + _or_unlimited(unlimited=self.unlimited),
            )
        if not self.least_s <= seconds <= self.most_s:
            raise wrong(
                f"{shown(value)} is out of range",
                f"{format_duration(self.least_s)} to {format_duration(self.most_s)}",
            )
        return seconds


@dataclass(frozen=True, slots=True)
class _SizeIn:
    """
    Annotation of a type: written as bytes or as a size, read as bytes; None if unlimited.
    """

    most: int
    least: int = 0
    unit: int = 1
    unlimited: bool = False

    def __get_pydantic_core_schema__(self, source: object, inner: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._read, metadata={AS_WRITTEN: format_size})

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, inner: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        whole = {"type": "integer", "minimum": self.least, "maximum": self.most, "multipleOf": self.unit}
        text = {"type": "string", "pattern": _pattern(SIZE_PATTERN, unlimited=self.unlimited)}
        return {"anyOf": [text, whole]}

    def _read(self, value: object) -> int | None:
        if self.unlimited and value == _UNLIMITED:
            return None
        size = _bytes_of(value)
        if size is None:
            raise wrong(
                not_a(value, "a size"),
                "a number of bytes, or a size such as '64MiB' or '16KiB'"
                + _or_unlimited(unlimited=self.unlimited),
            )
        if not self.least <= size <= self.most:
            raise wrong(
                f"{shown(value)} is out of range", f"{format_size(self.least)} to {format_size(self.most)}"
            )
        if size % self.unit:
            below = size - size % self.unit
            raise wrong(
                f"{shown(value)} is not a whole number of pages",
                f"a multiple of {format_size(self.unit)}, such as {format_size(below)}"
                f" or {format_size(below + self.unit)}",
            )
        return size


def _bytes_of(value: object) -> int | None:
    if isinstance(value, str):
        return parse_size(value)
    # bool is a subclass of int, but `true` is not a size.
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _pattern(pattern: str, *, unlimited: bool) -> str:
    return f"{pattern}|^{_UNLIMITED}$" if unlimited else pattern


def _or_unlimited(*, unlimited: bool) -> str:
    return f", or '{_UNLIMITED}'" if unlimited else ""


Duration = Annotated[float, _DurationIn()]
OptionalDuration = Annotated[float | None, _DurationIn()]
Wait = Annotated[float, _DurationIn(least_s=0.0)]
Timeout = Annotated[float | None, _DurationIn(unlimited=True)]
TimeToLive = Annotated[float | None, _DurationIn(least_s=1.0, most_s=_TTL_LIMIT_S)]

ScratchSize = Annotated[int, _SizeIn(most=_SCRATCH_LIMIT_BYTES)]
BodySize = Annotated[int, _SizeIn(most=_BODY_LIMIT_BYTES)]
MemorySize = Annotated[int, _SizeIn(least=PAGE_BYTES, most=_MEMORY_LIMIT_BYTES, unit=PAGE_BYTES)]
OutputSize = Annotated[int | None, _SizeIn(most=_OUTPUT_LIMIT_BYTES, unlimited=True)]
StderrSize = Annotated[int, _SizeIn(most=_STDERR_LIMIT_BYTES)]

Count = Annotated[StrictInt, Field(ge=0, le=1_000_000_000)]
PositiveCount = Annotated[StrictInt, Field(ge=1, le=1_000_000_000)]
