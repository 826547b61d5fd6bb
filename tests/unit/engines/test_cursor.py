"""Integers in LEB128."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wasm_grpc.engines.binary.cursor import Cursor, encode_u32


@given(st.integers(0, 0xFFFF_FFFF))
def test_an_integer_survives_its_encoding(value: int) -> None:
    """What `encode_u32` wrote `Cursor.u32` reads, to the last byte."""
    encoded = encode_u32(value)
    cursor = Cursor(encoded, 0, len(encoded))

    assert (cursor.u32(), cursor.is_at_end) == (value, True)
