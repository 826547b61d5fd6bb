"""Numbers as WebAssembly's types hold them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm_grpc.engines.protocol import FuncType
from wasm_grpc.engines.values import has_numbers_only, narrow


@pytest.mark.parametrize(("kind", "bits"), [("i32", 32), ("i64", 64)])
@given(value=st.integers(-(1 << 70), 1 << 70))
def test_an_integer_becomes_signed(kind: str, bits: int, value: int) -> None:
    """Any integer becomes the signed number with the same lower bits."""
    found = narrow(value, kind)

    assert -(1 << bits - 1) <= found < 1 << bits - 1
    assert (value - int(found)) % (1 << bits) == 0


@pytest.mark.parametrize(("value", "kind"), [(None, "i32"), (1.5, "i64"), ("1", "f64"), (None, "f32")])
def test_what_is_no_number_is_refused(value: float | None, kind: str) -> None:
    """A host function's missing result, or one of a wrong type, is an error and never a 0."""
    with pytest.raises(TypeError):
        narrow(value, kind)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (FuncType(("i32", "f64"), ("i64",)), True),
        (FuncType(()), True),
        (FuncType(("externref",)), False),
        (FuncType((), ("v128",)), False),
    ],
    ids=str,
)
def test_only_numbers_cross(function: FuncType, expected: object) -> None:
    """Functions with references or vectors are told apart."""
    assert has_numbers_only(function) is expected
