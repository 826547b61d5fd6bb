"""Integers in LEB128."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm_grpc.core.errors import ModuleError
from wasm_grpc.engines.binary.cursor import Cursor, encode_u32


@given(st.integers(0, 0xFFFF_FFFF))
def test_an_integer_survives_its_encoding(value: int) -> None:
    """What `encode_u32` wrote `Cursor.u32` reads, to the last byte."""
    encoded = encode_u32(value)
    cursor = Cursor(encoded, 0, len(encoded))

    assert (cursor.u32(), cursor.is_at_end) == (value, True)


@pytest.mark.parametrize("method", ["take", "part"])
def test_nothing_is_read_beyond_the_end(method: str) -> None:
    """A range has an end of its own, whatever follows it in the module."""
    cursor = Cursor(b"abcdef", 1, 4)

    with pytest.raises(
        ModuleError, match=r"^module is cut off or damaged at byte 4; expected a valid module$"
    ):
        getattr(cursor, method)(4)

    assert cursor.take(3) == b"bcd"
