"""
Makes the models of this folder from their definitions here: `python tests/models/build.py`.

It takes `ai-edge-litert`, which carries the classes of TensorFlow Lite's schema. No compiler of models
is needed: each has a handful of operators, written down one by one.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

__all__ = ["MODELS"]

TYPES = schema.TensorType
OPS = schema.BuiltinOperator
OPTIONS = schema.BuiltinOptions


@dataclass
class Graph:
    """A subgraph under construction: tensors and operators are added, and named by their indexes."""

    model: Model
    tensors: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)

    def tensor(
        self, name: str, kind: int, shape: Sequence[int], content: bytes | None = None, **more: Any
    ) -> int:
        """Add a tensor, constant if it has contents."""
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.shape = name, kind, list(shape)
        tensor.buffer = self.model.buffer(content)
        for key, value in more.items():
            setattr(tensor, key, value)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def run(
        self,
        code: int | str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Any = None,
        kind: int = OPTIONS.NONE,
        *,
        version: int = 1,
    ) -> None:
        """Add an operator: a built-in by its number, a custom one by its name."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self.model.opcode(code, version)
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        operator.builtinOptions, operator.builtinOptionsType = options, kind
        self.operators.append(operator)

    def finish(self, inputs: Sequence[int], outputs: Sequence[int], name: str = "main") -> None:
        """Add the subgraph to its model."""
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.name = self.tensors, self.operators, name
        graph.inputs, graph.outputs = list(inputs), list(outputs)
        self.model.root.subgraphs.append(graph)


class Model:
    """A model under construction."""

    def __init__(self) -> None:
        self.root = schema.ModelT()
        self.root.version, self.root.description = 3, "a test of wasm_grpc"
        self.root.subgraphs, self.root.operatorCodes = [], []
        self.root.buffers = [schema.BufferT()]

    def graph(self) -> Graph:
        """Begin a subgraph; the first that is finished is the main one."""
        return Graph(self)

    def buffer(self, content: bytes | None) -> int:
        """Add contents, and return their index; 0 is nothing."""
        if content is None:
            return 0
        buffer = schema.BufferT()
        buffer.data = list(content)
        self.root.buffers.append(buffer)
        return len(self.root.buffers) - 1

    def opcode(self, code: int | str, version: int) -> int:
        """Add a kind of operator, and return its index."""
        opcode = schema.OperatorCodeT()
        opcode.version = version
        if isinstance(code, str):
            opcode.builtinCode = opcode.deprecatedBuiltinCode = OPS.CUSTOM
            opcode.customCode = code
        else:
            # The field of one byte that old readers know holds at most 127.
            opcode.builtinCode, opcode.deprecatedBuiltinCode = code, min(code, 127)
        self.root.operatorCodes.append(opcode)
        return len(self.root.operatorCodes) - 1

    def serialised(self) -> bytes:
        """Return the file's contents."""
        builder = flatbuffers.Builder(4096)
        builder.Finish(self.root.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def i32(*values: int) -> bytes:
    """Pack 32-bit integers."""
    return struct.pack(f"<{len(values)}i", *values)


def add_f32() -> Model:
    """Two inputs of 1x4 numbers each, and their sum."""
    model = Model()
    graph = model.graph()
    a, b, total = (graph.tensor(name, TYPES.FLOAT32, (1, 4)) for name in ("a", "b", "sum"))
    graph.run(OPS.ADD, [a, b], [total], schema.AddOptionsT(), OPTIONS.AddOptions)
    graph.finish([a, b], [total])
    return model


def reshape(kind: int) -> Callable[[], Model]:
    """Return the maker of a model that hands its input of 1x2x2x3 on as 1x12."""

    def make() -> Model:
        model = Model()
        graph = model.graph()
        given = graph.tensor("picture", kind, (1, 2, 2, 3))
        shape = graph.tensor("shape", TYPES.INT32, (2,), i32(1, 12))
        flat = graph.tensor("flat", kind, (1, 12))
        graph.run(OPS.RESHAPE, [given, shape], [flat], schema.ReshapeOptionsT(), OPTIONS.ReshapeOptions)
        graph.finish([given], [flat])
        return model

    return make


def count_range() -> Model:
    """One whole number n, and the numbers from 0 to n - 1: an output whose size depends on the input."""
    model = Model()
    graph = model.graph()
    zero = graph.tensor("zero", TYPES.INT32, (), i32(0))
    one = graph.tensor("one", TYPES.INT32, (), i32(1))
    limit = graph.tensor("n", TYPES.INT32, ())
    numbers = graph.tensor("numbers", TYPES.INT32, (0,))
    graph.run(OPS.RANGE, [zero, limit, one], [numbers], schema.RangeOptionsT(), OPTIONS.RangeOptions)
    graph.finish([limit], [numbers])
    return model


def count_up() -> Model:
    """One whole number n, counted up to in n rounds of a loop: as slow as is asked for."""
    model = Model()
    graph = model.graph()
    zero = graph.tensor("zero", TYPES.INT32, (1,), i32(0))
    limit = graph.tensor("n", TYPES.INT32, (1,))
    counted = graph.tensor("counted", TYPES.INT32, (1,))
    unchanged = graph.tensor("unchanged", TYPES.INT32, (1,))
    options = schema.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = 1, 2
    graph.run(OPS.WHILE, [zero, limit], [counted, unchanged], options, OPTIONS.WhileOptions)
    graph.finish([limit], [counted])

    condition = model.graph()
    so_far, limit = (condition.tensor(name, TYPES.INT32, (1,)) for name in ("so far", "n"))
    goes_on = condition.tensor("goes on", TYPES.BOOL, (1,))
    condition.run(OPS.LESS, [so_far, limit], [goes_on], schema.LessOptionsT(), OPTIONS.LessOptions)
    condition.finish([so_far, limit], [goes_on], "condition")

    body = model.graph()
    so_far, limit = (body.tensor(name, TYPES.INT32, (1,)) for name in ("so far", "n"))
    one = body.tensor("one", TYPES.INT32, (1,), i32(1))
    more = body.tensor("more", TYPES.INT32, (1,))
    body.run(OPS.ADD, [so_far, one], [more], schema.AddOptionsT(), OPTIONS.AddOptions)
    body.finish([so_far, limit], [more, limit], "body")
    return model


def double() -> Model:
    """One whole number, and twice that."""
    model = Model()
    graph = model.graph()
    given, twice = (graph.tensor(name, TYPES.INT32, (1,)) for name in ("n", "twice"))
    graph.run(OPS.ADD, [given, given], [twice], schema.AddOptionsT(), OPTIONS.AddOptions)
    graph.finish([given], [twice])
    return model


def endless() -> Model:
    """A graph that calls itself without an end: the stack runs out before it runs at all."""
    model = Model()
    graph = model.graph()
    given, answer = (graph.tensor(name, TYPES.INT32, (1,)) for name in ("n", "answer"))
    flow = schema.IfOptionsT()
    flow.thenSubgraphIndex = flow.elseSubgraphIndex = 0
    holds = graph.tensor("holds", TYPES.BOOL, (1,), b"\1")
    graph.run(OPS.IF, [holds, given], [answer], flow, OPTIONS.IfOptions)
    graph.finish([given], [answer])
    return model


def unwritten() -> Model:
    """An output that nothing computes, beside one that is: what it holds is whatever lay in memory."""
    model = Model()
    graph = model.graph()
    given, twice, nothing = (graph.tensor(name, TYPES.INT32, (1, 64)) for name in ("n", "twice", "nothing"))
    graph.run(OPS.ADD, [given, given], [twice], schema.AddOptionsT(), OPTIONS.AddOptions)
    graph.finish([given], [twice, nothing])
    return model


def accumulate() -> Model:
    """One number, and the sum of all it was given so far, in a variable tensor of a recurrent operator."""
    model = Model()
    graph = model.graph()
    one = struct.pack("<f", 1.0)
    given = graph.tensor("x", TYPES.FLOAT32, (1, 1))
    weight = graph.tensor("weight", TYPES.FLOAT32, (1, 1), one)
    recurrent = graph.tensor("recurrent", TYPES.FLOAT32, (1, 1), one)
    bias = graph.tensor("bias", TYPES.FLOAT32, (1,), bytes(4))
    state = graph.tensor("state", TYPES.FLOAT32, (1, 1), isVariable=True)
    total = graph.tensor("total", TYPES.FLOAT32, (1, 1))
    inputs = [given, weight, recurrent, bias, state]
    graph.run(OPS.RNN, inputs, [total], schema.RNNOptionsT(), OPTIONS.RNNOptions)
    graph.finish([given], [total])
    return model


def remember() -> Model:
    """One number, and the sum of all it was given so far, in a variable that outlives a run."""
    model = Model()
    graph = model.graph()
    once = schema.CallOnceOptionsT()
    once.initSubgraphIndex = 1
    graph.run(OPS.CALL_ONCE, [], [], once, OPTIONS.CallOnceOptions)
    handle = _variable(graph)
    before = graph.tensor("before", TYPES.FLOAT32, (1,))
    given = graph.tensor("x", TYPES.FLOAT32, (1,))
    total = graph.tensor("total", TYPES.FLOAT32, (1,))
    graph.run(
        OPS.READ_VARIABLE, [handle], [before], schema.ReadVariableOptionsT(), OPTIONS.ReadVariableOptions
    )
    graph.run(OPS.ADD, [before, given], [total], schema.AddOptionsT(), OPTIONS.AddOptions)
    _assign(graph, handle, total)
    graph.finish([given], [total])

    beginning = model.graph()
    handle = _variable(beginning)
    _assign(beginning, handle, beginning.tensor("zero", TYPES.FLOAT32, (1,), bytes(4)))
    beginning.finish([], [], "beginning")
    return model


def _variable(graph: Graph) -> int:
    handle = graph.tensor("variable", TYPES.RESOURCE, (1,))
    options = schema.VarHandleOptionsT()
    options.container, options.sharedName = "", "total"
    graph.run(OPS.VAR_HANDLE, [], [handle], options, OPTIONS.VarHandleOptions)
    return handle


def _assign(graph: Graph, handle: int, value: int) -> None:
    options = schema.AssignVariableOptionsT()
    graph.run(OPS.ASSIGN_VARIABLE, [handle, value], [], options, OPTIONS.AssignVariableOptions)


def custom() -> Model:
    """An operator that no backend has."""
    model = Model()
    graph = model.graph()
    given, answer = (graph.tensor(name, TYPES.FLOAT32, (1,)) for name in ("x", "y"))
    graph.run("Oracle", [given], [answer])
    graph.finish([given], [answer])
    return model


def future() -> Model:
    """An operator in a version that does not exist yet."""
    model = Model()
    graph = model.graph()
    a, b, total = (graph.tensor(name, TYPES.FLOAT32, (1, 4)) for name in ("a", "b", "sum"))
    graph.run(OPS.ADD, [a, b], [total], schema.AddOptionsT(), OPTIONS.AddOptions, version=99)
    graph.finish([a, b], [total])
    return model


def transpose(*axes: int) -> Callable[[], Model]:
    """Return the maker of a model that permutes the axes of 2x3x4 numbers, by its second input without any."""

    def make() -> Model:
        model = Model()
        graph = model.graph()
        graph.finish(*_transpose(graph, axes))
        return model

    return make


def _transpose(graph: Graph, axes: Sequence[int]) -> tuple[list[int], list[int]]:
    given, answer = (graph.tensor(name, TYPES.INT32, (2, 3, 4)) for name in ("x", "y"))
    order = graph.tensor("order", TYPES.INT32, (3,), i32(*axes) if axes else None)
    options = schema.TransposeOptionsT()
    graph.run(OPS.TRANSPOSE, [given, order], [answer], options, OPTIONS.TransposeOptions)
    return ([given] if axes else [given, order]), [answer]


def transpose_that(change: Callable[[Graph, int], list[int]]) -> Callable[[], Model]:
    """
    Return the maker of a model whose permutation looks constant and right, and isn't what the operator reads.

    `change` gets the graph and the permutation's tensor, and returns the model's further inputs.
    """

    def make() -> Model:
        model = Model()
        graph = model.graph()
        inputs, outputs = _transpose(graph, (0, 1, 2))
        more = change(graph, graph.operators[0].inputs[1])
        graph.finish([*inputs, *more], outputs)
        return model

    return make


def _is_given(_: Graph, axes: int) -> list[int]:
    """The caller writes it."""
    return [axes]


def _is_written(graph: Graph, axes: int) -> list[int]:
    """Another operator writes it, before it is read."""
    a, b = (graph.tensor(name, TYPES.INT32, (3,)) for name in ("a", "b"))
    graph.run(OPS.ADD, [a, b], [axes], schema.AddOptionsT(), OPTIONS.AddOptions)
    graph.operators.reverse()
    return [a, b]


def _is_shared(graph: Graph, axes: int) -> list[int]:
    """Its contents are those of another tensor, which the caller writes."""
    twin = graph.tensor("twin", TYPES.INT32, (3,))
    graph.tensors[twin].buffer = graph.tensors[axes].buffer
    return [twin]


def _is_nothing(graph: Graph, axes: int) -> list[int]:
    """It has the contents that stand for none."""
    graph.model.root.buffers[0].data = list(i32(0, 1, 2))
    graph.tensors[axes].buffer = 0
    return [axes]


def _is_wide(graph: Graph, axes: int) -> list[int]:
    """Its numbers have 64 bits; the operator reads the halves."""
    graph.tensors[axes].type = TYPES.INT64
    graph.model.root.buffers[graph.tensors[axes].buffer].data = list(struct.pack("<3q", 0, 1, 2))
    return []


def pick(begin: int | None) -> Callable[[], Model]:
    """Return the maker of a model that picks one of four numbers; by its second input without any."""

    def make() -> Model:
        model = Model()
        graph = model.graph()
        given, answer = graph.tensor("x", TYPES.FLOAT32, (4,)), graph.tensor("y", TYPES.FLOAT32, ())
        first = graph.tensor("begin", TYPES.INT32, (1,), None if begin is None else i32(begin))
        last = graph.tensor("end", TYPES.INT32, (1,), i32(0 if begin is None else begin + 1))
        step = graph.tensor("step", TYPES.INT32, (1,), i32(1))
        options = schema.StridedSliceOptionsT()
        options.shrinkAxisMask = 1
        inputs = [given, first, last, step]
        graph.run(OPS.STRIDED_SLICE, inputs, [answer], options, OPTIONS.StridedSliceOptions)
        graph.finish([given, first] if begin is None else [given], [answer])
        return model

    return make


def set_diagonal() -> Model:
    """The diagonal of a matrix of 200x200 numbers, set by one number: 199 lie behind it."""
    model = Model()
    graph = model.graph()
    given, answer = (graph.tensor(name, TYPES.FLOAT32, (200, 200)) for name in ("x", "y"))
    diagonal = graph.tensor("diagonal", TYPES.FLOAT32, (1,))
    options = schema.MatrixSetDiagOptionsT()
    graph.run(OPS.MATRIX_SET_DIAG, [given, diagonal], [answer], options, OPTIONS.MatrixSetDiagOptions)
    graph.finish([given, diagonal], [answer])
    return model


def transpose_within() -> Model:
    """A permutation that names an axis twice, in a graph that another one calls."""
    model = Model()
    graph = model.graph()
    given, answer = (graph.tensor(name, TYPES.INT32, (2, 3, 4)) for name in ("x", "y"))
    holds = graph.tensor("holds", TYPES.BOOL, (1,), b"\0")
    flow = schema.IfOptionsT()
    flow.thenSubgraphIndex, flow.elseSubgraphIndex = 1, 2
    graph.run(OPS.IF, [holds, given], [answer], flow, OPTIONS.IfOptions)
    graph.finish([given], [answer])
    for axes in ((0, 0, 1), (0, 1, 2)):
        branch = model.graph()
        branch.finish(*_transpose(branch, axes), f"permute {axes}")
    return model


def slice_of(begin: int, size: int, *, is_computed: bool = False) -> Callable[[], Model]:
    """Return the maker of a model that gives a part of eight numbers, which its inputs may choose."""

    def make() -> Model:
        model = Model()
        graph = model.graph()
        given, part = graph.tensor("x", TYPES.INT32, (8,)), graph.tensor("part", TYPES.INT32, (4,))
        bounds = [
            graph.tensor(name, TYPES.INT32, (1,), None if is_computed else i32(value))
            for name, value in (("begin", begin), ("size", size))
        ]
        graph.run(OPS.SLICE, [given, *bounds], [part], schema.SliceOptionsT(), OPTIONS.SliceOptions)
        graph.finish([given, *bounds] if is_computed else [given], [part])
        return model

    return make


def mirror_pad(before: int, after: int) -> Callable[[], Model]:
    """Return the maker of a model that puts mirrored numbers around eight."""

    def make() -> Model:
        model = Model()
        graph = model.graph()
        given = graph.tensor("x", TYPES.FLOAT32, (8,))
        padded = graph.tensor("padded", TYPES.FLOAT32, (8 + before + after,))
        padding = graph.tensor("padding", TYPES.INT32, (1, 2), i32(before, after))
        options = schema.MirrorPadOptionsT()
        graph.run(OPS.MIRROR_PAD, [given, padding], [padded], options, OPTIONS.MirrorPadOptions)
        graph.finish([given], [padded])
        return model

    return make


def scatter(index: int) -> Callable[[], Model]:
    """Return the maker of a model that puts its number at a place among eight."""

    def make() -> Model:
        model = Model()
        graph = model.graph()
        given, spread = graph.tensor("x", TYPES.FLOAT32, (1,)), graph.tensor("spread", TYPES.FLOAT32, (8,))
        place = graph.tensor("place", TYPES.INT32, (1, 1), i32(index))
        shape = graph.tensor("shape", TYPES.INT32, (1,), i32(8))
        options = schema.ScatterNdOptionsT()
        graph.run(OPS.SCATTER_ND, [place, given, shape], [spread], options, OPTIONS.ScatterNdOptions)
        graph.finish([given], [spread])
        return model

    return make


def words() -> Model:
    """Text in, text out: tensors that have no bytes to hand over."""
    model = Model()
    graph = model.graph()
    given, flat = (graph.tensor(name, TYPES.STRING, (2,)) for name in ("words", "same"))
    shape = graph.tensor("shape", TYPES.INT32, (1,), i32(2))
    graph.run(OPS.RESHAPE, [given, shape], [flat], schema.ReshapeOptionsT(), OPTIONS.ReshapeOptions)
    graph.finish([given], [flat])
    return model


MODELS: dict[str, Callable[[], Model]] = {
    "accumulate": accumulate,
    "add-f32": add_f32,
    "count-range": count_range,
    "count-up": count_up,
    "custom": custom,
    "double": double,
    "endless": endless,
    "future": future,
    "mirror-pad": mirror_pad(3, 7),
    "mirror-pad-outside": mirror_pad(3, 20),
    "pick": pick(3),
    "pick-computed": pick(None),
    "pick-outside": pick(1000),
    "remember": remember,
    "reshape-bool": reshape(TYPES.BOOL),
    "reshape-f16": reshape(TYPES.FLOAT16),
    "reshape-f32": reshape(TYPES.FLOAT32),
    "reshape-f64": reshape(TYPES.FLOAT64),
    "reshape-i16": reshape(TYPES.INT16),
    "reshape-i32": reshape(TYPES.INT32),
    "reshape-i64": reshape(TYPES.INT64),
    "reshape-i8": reshape(TYPES.INT8),
    "reshape-u8": reshape(TYPES.UINT8),
    "scatter": scatter(5),
    "scatter-outside": scatter(2**31 - 1),
    "set-diagonal": set_diagonal,
    "slice": slice_of(2, 4),
    "slice-computed": slice_of(0, 0, is_computed=True),
    "slice-outside": slice_of(7, 4),
    "transpose": transpose(2, 0, 1),
    "transpose-computed": transpose(),
    "transpose-from-the-end": transpose(-1, -3, -2),
    "transpose-given": transpose_that(_is_given),
    "transpose-nothing": transpose_that(_is_nothing),
    "transpose-outside": transpose(0, 1, 3),
    "transpose-shared": transpose_that(_is_shared),
    "transpose-twice": transpose(0, 0, 1),
    "transpose-wide": transpose_that(_is_wide),
    "transpose-within": transpose_within,
    "transpose-written": transpose_that(_is_written),
    "unwritten": unwritten,
    "words": words,
}

if __name__ == "__main__":
    for model_name, make_model in MODELS.items():
        Path(__file__).with_name(f"{model_name}.tflite").write_bytes(make_model().serialised())
    sys.exit()
