"""
Read the results of a function from guest memory: triples of address, type and size in bytes, a u32 each.

Every triple is checked against memory and its type before anything is copied.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from wasm_grpc.hosts.regions import region

__all__ = [
    "STRING",
    "TRIPLE_BYTES",
    "U8_ARRAY",
    "BadResult",
    "Result",
    "Type",
    "read_results",
]

_RESULTS_LIMIT: Final = 256
"""Limit on the results of one function, far above the elements of a tuple that anybody writes."""

_TRIPLE: Final = struct.Struct("<III")
TRIPLE_BYTES: Final = _TRIPLE.size


class BadResult(Exception):
    """
    A result is none that the interface has. The message says what is wrong and what was expected.
    """


@dataclass(frozen=True, slots=True)
class Type:
    """
    A type of results. An array's `size` is that of one element.
    """

    name: str
    format: str
    size: int
    is_array: bool = False


def _numbers() -> dict[int, Type]:
    formats = {"u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q"}
    types: dict[int, Type] = {}
    for code, (name, form) in enumerate(formats.items(), 1):
        types[code] = Type(name, form, struct.calcsize(f"<{form}"))
        types[code + _ARRAYS] = Type(f"{name}[]", form, types[code].size, is_array=True)
    return types


_ARRAYS: Final = 20
"""What is added to the code of a type for the code of its arrays."""
U8_ARRAY: Final = 21
STRING: Final = 31
_TYPES: Final = {
    **_numbers(),
    9: Type("f32", "f", 4),
    10: Type("f64", "d", 8),
    11: Type("bool", "B", 1),
    12: Type("char", "I", 4),
    STRING: Type("string", "s", 1, is_array=True),
}
"""By its code in a triple (``RetTypes`` of the macro)."""


class Result(NamedTuple):
    """
    One result, whose address and size are inside memory and fit its type.
    """

    at: int
    code: int
    size: int

    @property
    def type(self) -> Type:
        """
        Its type.
        """
        return _TYPES[self.code]


def read_results(memory: memoryview, at: int, count: int) -> Sequence[Result]:
    """
    Read triples, and check that the results are inside memory and have the sizes of their types.

    Raises:
        OutOfBounds: The triples or a result are outside memory.
        BadResult: There are too many, or one has an unknown type or a wrong size.
    """
    if count > _RESULTS_LIMIT:
        raise BadResult(f"{count} results; expected at most {_RESULTS_LIMIT}")
    triples = region(memory, at, count * _TRIPLE.size)
    results = [Result(*triple) for triple in _TRIPLE.iter_unpack(triples)]
    for number, (start, code, size) in enumerate(results, 1):
        kind = _TYPES.get(code)
        if kind is None:
            raise BadResult(f"result {number} has type {code}; expected a type of wasmedge-bindgen")
        if size % kind.size if kind.is_array else size != kind.size:
            multiple = "a multiple of " if kind.is_array else ""
            raise BadResult(
                f"result {number} has type {kind.name} and {size} bytes; expected {multiple}{kind.size}"
            )
        region(memory, start, size)
    return results
