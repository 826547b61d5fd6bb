"""Typed arguments survive their encoding, and damaged ones are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm_grpc.core.arguments import Argument, decode_arguments, encode_arguments
from wasm_grpc.core.errors import ProtocolError

__all__ = []

ARGUMENTS = st.lists(
    st.builds(
        Argument,
        st.binary(max_size=50),
        st.none() | st.integers(min_value=0, max_value=2**32 - 1),
        st.just("i32"),
    ),
    max_size=5,
)


@given(ARGUMENTS)
def test_arguments_survive_their_encoding(arguments: list[Argument]) -> None:
    """The number of elements and the bytes of each come back, in their order."""
    decoded = list(decode_arguments(encode_arguments(arguments)))

    assert [(count, bytes(content)) for count, content in decoded] == [
        (len(each.content) if each.count is None else each.count, each.content) for each in arguments
    ]


@given(st.binary(max_size=100))
def test_any_bytes_are_decoded_or_refused(encoded: bytes) -> None:
    """What was not encoded here raises nothing but a `ProtocolError`."""
    try:
        decoded = list(decode_arguments(encoded))
    except ProtocolError:
        return

    assert sum(8 + len(content) for _, content in decoded) == len(encoded)


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        (b"\1\0\0\0", "arguments: 4 bytes at the end; expected at least 8"),
        (b"\1\0\0\0\5\0\0\0abc", "arguments: 11 bytes at the end; expected at least 13"),
    ],
    ids=["no head", "too few bytes"],
)
def test_arguments_that_are_cut_off(encoded: bytes, message: str) -> None:
    """The error says how many bytes there are and should be."""
    with pytest.raises(ProtocolError) as caught:
        list(decode_arguments(encoded))

    assert str(caught.value) == message
