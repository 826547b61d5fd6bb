"""Convert Python numbers to WebAssembly's number types, with two's complement for integers."""

from __future__ import annotations

from collections.abc import Sequence

from wasm_grpc.engines.protocol import FuncType, Value

__all__ = ["NUMBER_TYPES", "has_numbers_only", "narrow", "narrow_arguments"]

NUMBER_TYPES = frozenset({"i32", "i64", "f32", "f64"})
"""Types that may cross between guest and host. Vectors and references may not."""

_SIGN_BITS = {"i32": 1 << 31, "i64": 1 << 63}


def narrow(value: Value | None, value_type: str) -> Value:
    """
    Return a value as a signed integer or a float of that type.

    Raises:
        TypeError: It is not a number.
    """
    sign_bit = _SIGN_BITS.get(value_type)
    if sign_bit is None:
        if not isinstance(value, (int, float)):
            raise TypeError(f"{value!r} is not an {value_type}")
        return float(value)
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is not an {value_type}")
    # Two's complement: mask to the type's width, then (x ^ s) - s maps 0x8000_0000 to -0x8000_0000.
    return (value & (2 * sign_bit - 1) ^ sign_bit) - sign_bit


def narrow_arguments(function: FuncType, args: Sequence[Value]) -> list[Value]:
    """
    Return the arguments of a call, each converted to its parameter's type.

    Raises:
        TypeError: There are too few or too many, or one is not a number.
    """
    if len(args) != len(function.params):
        raise TypeError(
            f"{len(args)} arguments for a function of type {function}; expected {len(function.params)}"
        )
    return [narrow(value, kind) for value, kind in zip(args, function.params, strict=True)]


def has_numbers_only(function: FuncType) -> bool:
    """
    Return whether a function's parameters and results are all numbers, so that it can be called.
    """
    return NUMBER_TYPES.issuperset(function.params + function.results)
