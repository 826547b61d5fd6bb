"""
Refuse models with operators that would make a backend access memory outside their tensors.

A backend's kernels check most of their parameters (indexes of GATHER, axes, sizes), but not all: TRANSPOSE
with the permutation (0, 0, 1) reads past its input, where the body of another call may be. The operators
below were found by running each operator that takes indexes, sizes or axes with wrong values, on both
backends, in the versions of the lock files. Their parameters must be constants that are in range, since a
computed value is known only when it is too late.

Constants must also stay constant. Backends prepare operators for the values that constants have at first, but
write into such a tensor as into any other. So no caller and no operator may write to one, in any model.

Source of the layout: TensorFlow Lite's ``schema.fbs``.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import flatbuffers

from wasm_grpc.core.errors import ModelError

__all__ = ["Rules", "check_operators", "rules_for"]

_UNKNOWN: Final = -1
"""A dimension that is known only at run time."""


@dataclass(frozen=True, slots=True)
class _Operator:
    """
    One operator of a subgraph.

    Attributes:
        code: Its number in ``BuiltinOperator``.
        shapes: Shape of each input; ``None`` for an omitted one.
        types: ``TensorType`` of each input; ``None`` for an omitted one.
        constants: Values of each input; ``None`` if they are computed.
        options: The built-in options, if it has any.
    """

    code: int
    shapes: tuple[tuple[int, ...] | None, ...]
    types: tuple[int | None, ...]
    constants: tuple[tuple[int, ...] | None, ...]
    options: _Table | None


Rules = Mapping[int, tuple[str, Callable[[_Operator], bool]]]
"""By the operator's number: its name, and a check that it stays within its tensors."""


def rules_for(distribution: str) -> Rules:
    """
    Return the rules for a backend.
    """
    return _RULES_OF_ALL if distribution == "ai-edge-litert" else _RULES_OF_ALL | _RULES_OF_TFLITE_RUNTIME


def check_operators(content: bytes | mmap.mmap, rules: Rules) -> None:
    """
    Check the operators of a model that a backend has opened.

    Raises:
        ModelError: An operator may access memory outside its tensors or write over a constant, or the
            content is not a model.
    """
    try:
        written = next(_written_contents(content), None)
        if written is not None:
            raise ModelError(
                f"has a tensor {written!r} with contents that are written over; "
                "expected none in what the caller or an operator writes"
            )
        for operator in _operators(content, rules):
            name, is_right = rules[operator.code]
            if not is_right(operator):
                raise ModelError(
                    f"has an operator {name} that may access memory outside its tensors; "
                    "expected constant parameters that are in range"
                )
    except (struct.error, IndexError, TypeError, ValueError) as exc:
        raise ModelError("is not a TensorFlow Lite model (its tables point outside the file)") from exc


def _is_permutation(operator: _Operator) -> bool:
    axes = operator.constants[1]
    # Its kernel takes every type, and reads 32 bits of each.
    if axes is None or operator.types[1] != _INT32:
        return False
    return sorted(axis % len(axes) for axis in axes if -len(axes) <= axis < len(axes)) == [*range(len(axes))]


def _is_slice(operator: _Operator) -> bool:
    shape, begins, sizes = operator.shapes[0], operator.constants[1], operator.constants[2]
    if shape is None or begins is None or sizes is None or not len(shape) == len(begins) == len(sizes):
        return False
    return all(
        0 <= begin <= length and -1 <= size <= length - begin
        for length, begin, size in zip(shape, begins, sizes, strict=True)
    )


def _is_mirror_pad(operator: _Operator) -> bool:
    shape, paddings = operator.shapes[0], operator.constants[1]
    if shape is None or paddings is None or len(paddings) != 2 * len(shape):
        return False
    # The rule of the mode REFLECT, the stricter one.
    return all(0 <= padding < max(shape[axis // 2], 1) for axis, padding in enumerate(paddings))


def _is_scatter(operator: _Operator) -> bool:
    indexes, shape, index_shape = operator.constants[0], operator.constants[2], operator.shapes[0]
    if indexes is None or not shape or not index_shape:
        return False
    depth = index_shape[-1]
    return 0 < depth <= len(shape) and all(
        0 <= index < shape[position % depth] for position, index in enumerate(indexes)
    )


def _is_strided_slice(operator: _Operator) -> bool:
    options = operator.options
    mask = 0 if options is None else options.integer(4, "i")
    if options is None or not mask:
        # All is clamped but an axis that is to vanish.
        return True
    shape, begins = operator.shapes[0], operator.constants[1]
    if shape is None or begins is None or options.integer(2, "i") or options.integer(3, "i"):
        return False
    if len(begins) > len(shape):
        return False
    return all(
        -max(length, 1) <= begin < max(length, 1)
        for axis, (length, begin) in enumerate(zip(shape, begins, strict=False))
        if mask >> axis & 1
    )


def _is_never_sure(_: _Operator) -> bool:
    return False


_RULES_OF_ALL: Final[dict[int, tuple[str, Callable[[_Operator], bool]]]] = {
    39: ("TRANSPOSE", _is_permutation),
    45: ("STRIDED_SLICE", _is_strided_slice),
    # A diagonal that is too short is read past its end, and its shape in the file says nothing where it is
    # computed. No classifier has one.
    115: ("MATRIX_SET_DIAG", _is_never_sure),
}
_RULES_OF_TFLITE_RUNTIME: Final[dict[int, tuple[str, Callable[[_Operator], bool]]]] = {
    65: ("SLICE", _is_slice),
    100: ("MIRROR_PAD", _is_mirror_pad),
    122: ("SCATTER_ND", _is_scatter),
}
"""Rules for `tflite-runtime` only, whose last release is from 2023. `ai-edge-litert` checks these itself."""

_INT32: Final = 2
_NUMBERS: Final = {_INT32: "i", 4: "q"}
"""Formats of the ``TensorType`` INT32 and INT64, the types of parameters."""


class _Table:
    """
    A flatbuffers table of the file. Fields are given by their number in the schema.
    """

    __slots__ = ("_table",)

    def __init__(self, content: bytes | mmap.mmap, position: int) -> None:
        self._table: Any = flatbuffers.table.Table(content, position)

    def integer(self, field: int, kind: str, default: int = 0) -> int:
        """
        Return a number of a `struct` format.
        """
        offset = self._table.Offset(4 + 2 * field)
        if not offset:
            return default
        (value,) = struct.unpack_from(f"<{kind}", self._table.Bytes, self._table.Pos + offset)
        return int(value)

    def length(self, field: int) -> int:
        """
        Return the length of a vector; 0 where there is none.
        """
        offset = self._table.Offset(4 + 2 * field)
        return int(self._table.VectorLen(offset)) if offset else 0

    def text(self, field: int) -> str:
        """
        Return a string; "" where there is none.
        """
        return bytes(self.numbers(field, "B") or ()).decode("utf-8", "replace")

    def numbers(self, field: int, kind: str) -> tuple[int, ...] | None:
        """
        Return a vector of numbers; ``None`` if there is none.
        """
        offset = self._table.Offset(4 + 2 * field)
        if not offset:
            return None
        count, start = self._table.VectorLen(offset), self._table.Vector(offset)
        return struct.unpack_from(f"<{count}{kind}", self._table.Bytes, start)

    def table(self, field: int) -> _Table | None:
        """
        Return a table; ``None`` where there is none.
        """
        offset = self._table.Offset(4 + 2 * field)
        return _Table(self._table.Bytes, self._table.Indirect(self._table.Pos + offset)) if offset else None

    def tables(self, field: int) -> Sequence[_Table]:
        """
        Return a vector of tables.
        """
        offset = self._table.Offset(4 + 2 * field)
        if not offset:
            return ()
        start = self._table.Vector(offset)
        content = self._table.Bytes
        places = (start + 4 * index for index in range(self._table.VectorLen(offset)))
        return [_Table(content, self._table.Indirect(place)) for place in places]


def _model(content: bytes | mmap.mmap) -> _Table:
    (root,) = struct.unpack_from("<I", content)
    return _Table(content, root)


def _written_contents(content: bytes | mmap.mmap) -> Iterator[str]:
    """
    Return the names of tensors that have contents, though a caller or an operator writes to them.
    """
    model = _model(content)
    buffers = model.tables(4)
    for graph in model.tables(2):
        tensors = graph.tables(0)
        written = {*(graph.numbers(1, "i") or ())}
        for operator in graph.tables(3):
            written.update(operator.numbers(2, "i") or ())
        for index in sorted(written):
            if index >= 0 and _has_contents(tensors[index], buffers):
                yield tensors[index].text(3)


def _has_contents(tensor: _Table, buffers: Sequence[_Table]) -> bool:
    index = tensor.integer(2, "I")
    # Contents may lie behind the tables, at an offset, or in another file.
    return bool(tensor.integer(10, "I")) or bool(
        index and (buffers[index].length(0) or buffers[index].integer(1, "Q") > 1)
    )


def _operators(content: bytes | mmap.mmap, rules: Rules) -> Iterator[_Operator]:
    model = _model(content)
    # Old writers only know the one-byte field. New ones write both.
    codes = [max(code.integer(0, "b"), code.integer(3, "i")) for code in model.tables(1)]
    if not rules.keys() & set(codes):
        return
    buffers = model.tables(4)
    for graph in model.tables(2):
        tensors = graph.tables(0)
        for operator in graph.tables(3):
            code = codes[operator.integer(0, "I")]
            if code in rules:
                given = [tensors[index] if index >= 0 else None for index in operator.numbers(1, "i") or ()]
                yield _Operator(
                    code,
                    tuple(None if tensor is None else _shape(tensor) for tensor in given),
                    tuple(None if tensor is None else tensor.integer(1, "b") for tensor in given),
                    tuple(None if tensor is None else _constant(tensor, buffers) for tensor in given),
                    operator.table(4),
                )


def _shape(tensor: _Table) -> tuple[int, ...]:
    shape, signature = tensor.numbers(0, "i") or (), tensor.numbers(7, "i")
    # If the signature leaves a dimension open, the shape only has a placeholder.
    return signature if signature and _UNKNOWN in signature else shape


def _constant(tensor: _Table, buffers: Sequence[_Table]) -> tuple[int, ...] | None:
    kind = _NUMBERS.get(tensor.integer(1, "b"))
    index = tensor.integer(2, "I")
    # The first one stands for no contents, whatever it holds.
    content = buffers[index].numbers(0, "B") if index else None
    if kind is None or not content:
        return None
    size = struct.calcsize(kind)
    return struct.unpack(f"<{len(content) // size}{kind}", bytes(content[: len(content) // size * size]))
