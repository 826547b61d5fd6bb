"""WebAssembly's number types over Python's: two's complement for integers, the rest as it comes."""

from __future__ import annotations

from collections.abc import Sequence

from wasm_grpc.engines.protocol import FuncType, Value

__all__ = ["NUMBER_TYPES", "has_numbers_only", "narrow", "narrow_arguments"]

NUMBER_TYPES = frozenset({"i32", "i64", "f32", "f64"})
"""Types that may cross between guest and host; vectors and references may not."""

_SIGN_BITS = {"i32": 1 << 31, "i64": 1 << 63}


def narrow(value: Value | None, value_type: str) -> Value:
    """
    The value as a signed integer or a float of that type, however it was given.

    Raises:
        TypeError: It is no number.
    """
    sign_bit = _SIGN_BITS.get(value_type)
    if sign_bit is None:
        if not isinstance(value, (int, float)):
            raise TypeError(f"{value!r} is no {value_type}")
        return float(value)
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no {value_type}")
    return (value & (2 * sign_bit - 1) ^ sign_bit) - sign_bit


def narrow_arguments(function: FuncType, args: Sequence[Value]) -> list[Value]:
    """
    The arguments of a call, each as its parameter's type.

    Raises:
        TypeError: Too few, too many, or no number where one was expected.
    """
    if len(args) != len(function.params):
        raise TypeError(f"{len(args)} arguments were given to a function of type {function}")
    return [narrow(value, kind) for value, kind in zip(args, function.params, strict=True)]


def has_numbers_only(function: FuncType) -> bool:
    """
    Whether a function may be called from the other side: it takes and gives numbers only.
    """
    return NUMBER_TYPES.issuperset(function.params + function.results)
