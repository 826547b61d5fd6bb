"""Results of wasmedge-bindgen functions become a body, whatever the guest's memory holds."""

from __future__ import annotations

import contextlib
import json
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wasm_grpc.core.model import KIB, MIB, ResultKind
from wasm_grpc.engines.protocol import GuestStop
from wasm_grpc.hosts.bindgen.bodies import Answer, answer_of
from wasm_grpc.hosts.bindgen.results import BadResult, read_results
from wasm_grpc.hosts.regions import OutOfBounds

__all__ = []

NUMBERS = {1: "B", 2: "b", 3: "H", 4: "h", 5: "I", 6: "i", 7: "Q", 8: "q"}
F32, F64, BOOL, CHAR, STRING = 9, 10, 11, 12, 31
VALUES_AT = 4 * KIB


def _integers(code: int) -> st.SearchStrategy[int]:
    bits = 8 * struct.calcsize(f"<{NUMBERS[code]}")
    least = -(1 << (bits - 1)) if NUMBERS[code].islower() else 0
    return st.integers(min_value=least, max_value=least + (1 << bits) - 1)


def _number(code: int) -> st.SearchStrategy[tuple[int, bytes, object]]:
    return _integers(code).map(lambda value: (code, struct.pack(f"<{NUMBERS[code]}", value), value))


def _array(code: int) -> st.SearchStrategy[tuple[int, bytes, object]]:
    return st.lists(_integers(code), max_size=6).map(
        lambda values: (code + 20, struct.pack(f"<{len(values)}{NUMBERS[code]}", *values), values)
    )


FINITE = st.floats(allow_nan=False, allow_infinity=False)
SINGLE = st.floats(allow_nan=False, allow_infinity=False, width=32)
VALUES: st.SearchStrategy[tuple[int, bytes, object]] = st.one_of(
    st.sampled_from(sorted(NUMBERS)).flatmap(_number),
    st.sampled_from(sorted(NUMBERS)).flatmap(_array),
    FINITE.map(lambda value: (F64, struct.pack("<d", value), value)),
    SINGLE.map(lambda value: (F32, struct.pack("<f", value), value)),
    st.booleans().map(lambda value: (BOOL, bytes((value,)), value)),
    st.characters(exclude_categories=["Cs"]).map(lambda value: (CHAR, value.encode("utf-32-le"), value)),
    st.text(st.characters(exclude_categories=["Cs"])).map(lambda value: (STRING, value.encode(), value)),
)
"""Type, bytes in memory, and the value of a result."""


def _laid_out(results: list[tuple[int, bytes, object]]) -> memoryview:
    memory = bytearray(2 * VALUES_AT)
    at = VALUES_AT
    for number, (code, content, _) in enumerate(results):
        struct.pack_into("<III", memory, 12 * number, at, code, len(content))
        memory[at : at + len(content)] = content
        at += len(content)
    return memoryview(memory)


def _answer(memory: memoryview, count: int, *, limit_bytes: int = MIB) -> Answer:
    return answer_of(memory, read_results(memory, 0, count), limit_bytes=limit_bytes)


@given(st.lists(VALUES, min_size=2, max_size=8))
def test_several_results_are_a_json_array(results: list[tuple[int, bytes, object]]) -> None:
    """Any reader of JSON gets the values back; numbers are exact, and a f32 is read as itself."""
    answer = _answer(_laid_out(results), len(results))

    read = json.loads(bytes(answer.body))
    expected = [value for _, _, value in results]
    for number, (code, _, value) in enumerate(results):
        if code == F32:
            assert struct.pack("<f", read[number]) == struct.pack("<f", value)
            read[number] = value
    assert (read, answer.kind) == (expected, ResultKind.JSON)
    assert len(answer.owned) == len(results)


@given(VALUES)
def test_one_result_is_its_text(result: tuple[int, bytes, object]) -> None:
    """A text, and an array of u8, are the body as they are; another array is JSON; the rest is its text."""
    code, content, value = result

    answer = _answer(_laid_out([result]), 1)

    body = bytes(answer.body)
    if code in (STRING, 21):
        assert body == content
    elif code == CHAR:
        assert body.decode() == value
    elif code in (F32, F64):
        assert struct.pack("<f" if code == F32 else "<d", float(body)) == content
    else:
        assert json.loads(body) == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_f32_has_the_shortest_text(value: float) -> None:
    """No shorter decimal is read as it."""
    body = bytes(_answer(_laid_out([(F32, struct.pack("<f", value), value)]), 1).body).decode()

    assert struct.pack("<f", float(body)) == struct.pack("<f", value)
    assert len(body) <= len(repr(value))


@settings(max_examples=500)
@given(st.binary(max_size=300), st.integers(0, 2**32 - 1) | st.integers(0, 30), st.integers(0, 5000))
def test_any_memory_is_read_or_refused(content: bytes, count: int, limit_bytes: int) -> None:
    """Nothing but the three errors is raised, and no body is longer than the limit."""
    memory = memoryview(content)
    try:
        answer = _answer(memory, count, limit_bytes=limit_bytes)
    except (BadResult, OutOfBounds, GuestStop):
        return

    assert len(answer.body) <= limit_bytes


def _hostile(code: int, size: int) -> memoryview:
    memory = bytearray(64 + size)
    struct.pack_into("<III", memory, 0, 64, code, size)
    return memoryview(memory)


@pytest.mark.parametrize(
    ("code", "size", "count", "peak_bytes"),
    [
        (22, 20 * MIB, 1, 256 * KIB),
        (22, 400 * KIB, 1, 5 * MIB),
        (28, 8 * MIB, 1, 5 * MIB),
        (21, 20 * MIB, 1_000_000, 256 * KIB),
        (21, 20 * MIB, 1, 256 * KIB),
    ],
    ids=["too many numbers", "many numbers", "long numbers", "a million results", "bytes"],
)
def test_a_large_result_takes_little_memory(code: int, size: int, count: int, peak_bytes: int) -> None:
    """A limit of 1 MiB is checked before anything is made of the result, or while it is made in pieces."""
    memory = _hostile(code, size)
    if code == 28:
        memory[64:] = b"\x80" * size
    tracemalloc.start()
    try:
        with pytest.raises((GuestStop, BadResult)) if size > MIB else contextlib.nullcontext():
            _answer(memory, count)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < peak_bytes


def test_a_long_text_among_others_takes_little_memory() -> None:
    """It is escaped in pieces: a control character takes six."""
    memory = memoryview(bytearray(24 + 2 * MIB))
    struct.pack_into("<IIIIII", memory, 0, 24, STRING, 2 * MIB, 0, 1, 1)
    tracemalloc.start()
    try:
        with pytest.raises(GuestStop):
            _answer(memory, 2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 5 * MIB


@pytest.mark.parametrize("split", range(1, 4))
def test_a_character_across_pieces(split: int) -> None:
    """A text is decoded as one, wherever its pieces end."""
    text = "x" * (64 * KIB - split) + "\N{GRINNING FACE}"
    content = text.encode()
    memory = bytearray(24 + len(content))
    struct.pack_into("<IIIIII", memory, 0, 24, STRING, len(content), 24, 1, 1)
    memory[24:] = content

    answer = _answer(memoryview(memory), 2)

    assert json.loads(bytes(answer.body)) == [text, ord("x")]
