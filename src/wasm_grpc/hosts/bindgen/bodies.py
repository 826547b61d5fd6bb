"""
Make the body of a function's results.

One text or one array of u8 is the body as it is, one other value is its text, and anything else is JSON.
Numbers and texts become JSON in pieces, so that no body takes much more memory than its limit.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import math
import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from wasm_grpc.core.model import KIB, Reason, ResultKind
from wasm_grpc.engines.protocol import GuestStop
from wasm_grpc.hosts.bindgen.results import STRING, U8_ARRAY, BadResult, Result
from wasm_grpc.hosts.regions import region

__all__ = ["Answer", "answer_of", "read_raw"]

_AS_THEY_ARE: Final = {U8_ARRAY: ResultKind.BYTES, STRING: ResultKind.TEXT}
"""The types that are a body as they are, with the kind of each."""
_BOOLS: Final = ("false", "true")
_LAST_CHARACTER: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)
_NOT_FINITE: Final = ("NaN", "inf", "-inf")
_NUMBERS_AT_ONCE: Final = 8 * KIB
_CHARACTERS_AT_ONCE: Final = 64 * KIB
_F32_DIGITS: Final = range(1, 10)
"""Nine significant digits tell any f32 from its neighbours (IEEE 754)."""


class Answer(NamedTuple):
    """
    The results of one call.

    Attributes:
        body: The body. A memoryview is guest memory, valid until the guest runs again.
        kind: What it is, if the results tell it.
        owned: Address and size of each result that the guest leaves to the host.
    """

    body: bytes | memoryview
    kind: ResultKind = ResultKind.UNTOLD
    owned: tuple[tuple[int, int], ...] = ()


_NO_ANSWER: Final = Answer(b"")
"""That of a function without results."""


def answer_of(memory: memoryview, results: Sequence[Result], *, limit_bytes: int) -> Answer:
    """
    Make a body of results that were read from this memory.

    Raises:
        BadResult: A bool or char has no valid value.
        GuestStop: The body is longer than the limit.
    """
    if not results:
        return _NO_ANSWER
    owned = tuple((each.at, each.size) for each in results)
    first = results[0]
    if len(results) > 1:
        body = _join(_json_of_all(memory, results, limit_bytes), limit_bytes)
        return Answer(body, ResultKind.JSON, owned)
    if first.code in _AS_THEY_ARE:
        _check_length(first.size, limit_bytes)
        return Answer(region(memory, first.at, first.size), _AS_THEY_ARE[first.code], owned)
    if first.type.is_array:
        return Answer(_join(_json_of(memory, first, limit_bytes), limit_bytes), ResultKind.JSON, owned)
    return Answer(_join(iter((_text_of(memory, first),)), limit_bytes), ResultKind.VALUE, owned)


def read_raw(memory: memoryview, at: int, length: int, *, limit_bytes: int) -> Answer:
    """
    Return the answer of a guest that hands over the bytes of its only result, a text or an array of u8.

    Raises:
        OutOfBounds: They are not inside memory.
        GuestStop: They are more than the limit.
    """
    body = region(memory, at, length)
    _check_length(length, limit_bytes)
    return Answer(body)


def _check_length(length: int, limit_bytes: int) -> None:
    """
    Check the length of a body.

    Raises:
        GuestStop: It is over the limit.
    """
    if length > limit_bytes:
        raise GuestStop(
            Reason.OUTPUT_LIMIT,
            f"guest returned a result of over {limit_bytes} bytes; expected at most {limit_bytes}",
            limit="limits.output",
        )


def _join(pieces: Iterator[str], limit_bytes: int) -> bytes:
    """
    Return the pieces of a text as UTF-8, as long as they are within the limit.
    """
    joined = bytearray()
    for piece in pieces:
        joined += piece.encode()
        _check_length(len(joined), limit_bytes)
    return bytes(joined)


def _json_of_all(memory: memoryview, results: Sequence[Result], limit_bytes: int) -> Iterator[str]:
    for number, result in enumerate(results):
        yield "," if number else "["
        yield from _json_of(memory, result, limit_bytes)
    yield "]"


def _json_of(memory: memoryview, result: Result, limit_bytes: int) -> Iterator[str]:
    kind = result.type
    if result.code == STRING:
        yield from _json_of_text(region(memory, result.at, result.size))
    elif kind.is_array:
        count = result.size // kind.size
        # Each number but the last takes a digit and a comma.
        _check_length(2 * count, limit_bytes)
        yield "["
        numbers = region(memory, result.at, result.size)
        for begin in range(0, count, _NUMBERS_AT_ONCE):
            some = min(_NUMBERS_AT_ONCE, count - begin)
            piece = struct.unpack_from(f"<{some}{kind.format}", numbers, begin * kind.size)
            yield ("," if begin else "") + ",".join(map(str, piece))
        yield "]"
    else:
        text = _text_of(memory, result)
        if kind.name == "char":
            text = json.dumps(text, ensure_ascii=False)
        # JSON has no such numbers. JavaScript and Rust's serde_json write null too.
        yield "null" if text in _NOT_FINITE else text


def _json_of_text(text: memoryview) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    yield '"'
    for begin in range(0, len(text), _CHARACTERS_AT_ONCE):
        piece = decoder.decode(text[begin : begin + _CHARACTERS_AT_ONCE])
        yield json.dumps(piece, ensure_ascii=False)[1:-1]
    yield json.dumps(decoder.decode(b"", final=True), ensure_ascii=False)[1:-1] + '"'


def _text_of(memory: memoryview, result: Result) -> str:
    """
    Return the text of a single value.

    Raises:
        BadResult: A bool or char has no valid value.
    """
    kind = result.type
    (value,) = struct.unpack(f"<{kind.format}", region(memory, result.at, result.size))
    if kind.name == "bool":
        if value >= len(_BOOLS):
            raise BadResult(f"bool of value {value}; expected 0 or 1")
        return _BOOLS[value]
    if kind.name == "char":
        if value > _LAST_CHARACTER or value in _SURROGATES:
            raise BadResult(f"char of value {value:#x}; expected a Unicode scalar value")
        return chr(value)
    if kind.name not in ("f32", "f64"):
        return str(value)
    if math.isfinite(value):
        return _shortest_f32(value) if kind.name == "f32" else repr(value)
    return "NaN" if math.isnan(value) else repr(value)


def _shortest_f32(value: float) -> str:
    """
    Return the shortest decimal that is read as this f32, in the form of Python's `repr`.
    """
    single = struct.Struct("<f")
    for digits in _F32_DIGITS:
        nearest = float(f"{value:.{digits}g}")
        # A short decimal next to the largest f32 may be no f32.
        with contextlib.suppress(OverflowError):
            if single.unpack(single.pack(nearest))[0] == value:
                return repr(nearest)
    raise AssertionError("9 digits tell an f32 from its neighbours")
