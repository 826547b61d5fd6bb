"""Describe traps for people: the same words for every engine, and where the trap happened."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby, islice

from wasm_grpc.engines.names import demangle
from wasm_grpc.engines.protocol import GuestTrap

__all__ = [
    "CALL_STACK_EXHAUSTED",
    "INDIRECT_CALL_TYPE_MISMATCH",
    "INTEGER_DIVIDE_BY_ZERO",
    "INTEGER_OVERFLOW",
    "INVALID_CONVERSION_TO_INTEGER",
    "OUT_OF_BOUNDS_MEMORY_ACCESS",
    "OUT_OF_BOUNDS_TABLE_ACCESS",
    "UNINITIALIZED_ELEMENT",
    "UNREACHABLE",
    "describe_trap",
    "missing_function",
]

# The wording of the core specification's test suite.
UNREACHABLE = "unreachable"
OUT_OF_BOUNDS_MEMORY_ACCESS = "out of bounds memory access"
OUT_OF_BOUNDS_TABLE_ACCESS = "out of bounds table access"
UNINITIALIZED_ELEMENT = "uninitialized element"
INDIRECT_CALL_TYPE_MISMATCH = "indirect call type mismatch"
INTEGER_OVERFLOW = "integer overflow"
INTEGER_DIVIDE_BY_ZERO = "integer divide by zero"
INVALID_CONVERSION_TO_INTEGER = "invalid conversion to integer"
CALL_STACK_EXHAUSTED = "call stack exhausted"

_MAX_NAMES = 5
_MAX_NAME_CHARS = 80


def describe_trap(kind: str, functions: Iterable[str | None]) -> str:
    """
    Return one line: the kind of trap, then the innermost functions that have names, innermost first.

    Names come from the guest. They are demangled and cut, and unprintable characters are replaced.
    """
    # A recursive function is named once.
    named = (_clean(name) for name, _ in groupby(functions) if name)
    names = list(islice(named, _MAX_NAMES))
    return f"{kind} in {' < '.join(names)}" if names else kind


def missing_function(name: str) -> GuestTrap:
    """
    Return the trap of a call to an export that is missing, or whose type has more than numbers.
    """
    return GuestTrap(f"function {name!r} is missing; expected an export that takes and returns numbers")


def _clean(name: str) -> str:
    name = demangle(name)
    cut = name if len(name) <= _MAX_NAME_CHARS else name[: _MAX_NAME_CHARS - 1] + "…"
    return "".join(char if char.isprintable() else "?" for char in cut)
