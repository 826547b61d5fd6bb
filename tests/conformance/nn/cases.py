"""Every function of wasi-nn, from inside a guest: what it answers, and what it leaves in memory and log."""

from __future__ import annotations

import struct

from conformance.nn.steps import CONTEXT, GRAPH, OUT, WRITTEN, Builder, Case, Cell, Found, Step, Tensor
from models import model_bytes
from wasm_grpc.core.model import PAGE_BYTES, Reason, TensorTypes

__all__ = ["CASES"]

MEMORY_BYTES = 4 * PAGE_BYTES
PICTURE = bytes(range(1, 13))  # 1x2x2x3 of one byte each


def f32(*values: float) -> bytes:
    """Pack numbers of 32 bits."""
    return struct.pack(f"<{len(values)}f", *values)


def u32(*values: int) -> bytes:
    """Pack whole numbers of 32 bits."""
    return struct.pack(f"<{len(values)}I", *values)


def opened(name: str = "m", errno: int = 0) -> list[Step]:
    """Load a model by its name and begin a context."""
    return [(errno, "load_by_name", name, GRAPH), (0, "init_execution_context", Cell(GRAPH), CONTEXT)]


def set_input(tensor: Tensor, errno: int = 0, index: int = 0) -> Step:
    """Set an input of the context."""
    return (errno, "set_input", Cell(CONTEXT), index, tensor)


def output(content: bytes, room: int = 1024, index: int = 0) -> list[Step]:
    """Run the context and find an output."""
    return [
        (0, "compute", Cell(CONTEXT)),
        (0, "get_output", Cell(CONTEXT), index, OUT, room, WRITTEN),
        Found(WRITTEN, u32(len(content))),
        Found(OUT, content),
    ]


def picture(code: int, element: int = 1, shape: tuple[int, ...] = (1, 2, 2, 3)) -> Tensor:
    """Return a tensor of 12 elements of so many bytes each."""
    return Tensor(shape, code, bytes(range(1, 12 * element + 1)))


def handed_on(kind: str, code: int, element: int, types: TensorTypes = TensorTypes.AUTO) -> Case:
    """A model that hands its input on, whose type has this code: the very same bytes come out."""
    tensor = picture(code, element)
    return Case(
        steps=[*opened(), set_input(tensor), *output(tensor.data)],
        models={"m": f"reshape-{kind}"},
        tensor_types=types,
    )


def refused(
    kind: str, code: int, element: int, meant: str, size: int, types: TensorTypes = TensorTypes.AUTO
) -> Case:
    """A tensor whose size and shape fit and whose type doesn't."""
    return Case(
        steps=[*opened(), set_input(picture(code, element), 1)],
        models={"m": f"reshape-{kind}"},
        tensor_types=types,
        log=f"set_input: input 0 'picture': has the type {code} ({meant}); "
        f"expected 1x2x2x3:{kind}, {size} bytes",
    )


def ill(log: str, *steps: Step, model: str = "add-f32", errno_of_load: int = 0) -> Case:
    """A mistake with an open context, and its line in the log."""
    return Case(steps=[*opened(errno=errno_of_load), *steps], models={"m": model}, log=log)


def unknown_graph(name: str, *args: int) -> Case:
    """A function of graphs, given a handle that this instance never got."""
    return Case(steps=[(1, name, 7, *args)], log=f"{name}: graph 7 is not open; expected a loaded one")


def unknown_context(name: str, *args: int) -> Case:
    """A function of contexts, given a handle that this instance never got."""
    return Case(
        steps=[(1, name, 7, *args)],
        log=f"{name}: context 7 is not open; expected an initialised one",
    )


def own(log: str, errno: int, model: bytes, encoding: int = 4, target: int = 0, count: int = 1) -> Case:
    """A model of the guest's own that is not taken."""
    return Case(
        steps=[(errno, "load", Builder(model), count, encoding, target, GRAPH)], may_load=True, log=log
    )


A = Tensor((1, 4), 1, f32(1, 2, 3, 4))
B = Tensor((1, 4), 1, f32(0.5, -2, 10, 0.25))
SUM = f32(1.5, 0, 13, 4.25)
ADD = model_bytes("add-f32")
UNGRANTED = (
    "the guest brings a model that was not granted; expected the content of a file in "
    "capabilities.nn.models, or capabilities.nn.load = true (`wasm-grpc run`: --nn-model, --nn)"
)
EXPECTED_SUM = "expected 1x4:f32, 16 bytes"
NOT_SET = "is not set; expected set_input before compute"

NAMED = {
    "two-inputs": Case(
        steps=[*opened(), set_input(A), set_input(B, index=1), *output(SUM)], models={"m": "add-f32"}
    ),
    "one-of-two-models": Case(
        steps=[*opened("second"), set_input(picture(3)), *output(PICTURE)],
        models={"first": "add-f32", "second": "reshape-u8"},
    ),
    "name-in-utf-8": Case(steps=opened("größe"), models={"größe": "add-f32"}),
    "unknown-name": Case(
        steps=[(8, "load_by_name", "n", GRAPH)],
        models={"m": "add-f32", "l": "double"},
        log="load_by_name: no model 'n'; expected one that is granted ('l', 'm')",
    ),
    "nothing-granted": Case(
        steps=[(8, "load_by_name", "m", GRAPH)],
        log="load_by_name: no model 'm'; expected one that is granted (none is)",
    ),
    "name-is-no-text": Case(
        steps=[(1, "load_by_name", b"\xff", GRAPH)],
        log="load_by_name: the name is not valid UTF-8; expected text",
    ),
    "name-outside-memory": Case(
        steps=[(1, "load_by_name", MEMORY_BYTES - 1, 2, GRAPH)],
        log=f"load_by_name: the name is out of bounds; "
        f"expected 2 bytes at {MEMORY_BYTES - 1} within {MEMORY_BYTES}",
    ),
    "name-at-the-end-of-addresses": Case(
        steps=[(1, "load_by_name", -1, -1, GRAPH)],
        log=f"load_by_name: the name is out of bounds; "
        f"expected 4294967295 bytes at 4294967295 within {MEMORY_BYTES}",
    ),
    "graph-s-place-outside-memory": Case(
        steps=[(1, "load_by_name", "m", MEMORY_BYTES - 3)],
        models={"m": "add-f32"},
        log=f"load_by_name: the address for the graph is out of bounds; "
        f"expected 4 bytes at {MEMORY_BYTES - 3} within {MEMORY_BYTES}",
    ),
    "with-a-configuration": Case(
        steps=[
            (0, "load_by_name_with_config", "m", '{"threads": 9}', GRAPH),
            (0, "load_by_name_with_config", "m", "", GRAPH),
            (0, "init_execution_context", Cell(GRAPH), CONTEXT),
            set_input(A),
            set_input(B, index=1),
            *output(SUM),
        ],
        models={"m": "add-f32"},
    ),
    "configuration-is-no-object": Case(
        steps=[(1, "load_by_name_with_config", "m", "[1]", GRAPH)],
        models={"m": "add-f32"},
        log="load_by_name_with_config: '[1]' is not a JSON object; expected one",
    ),
    "configuration-is-no-json": Case(
        steps=[(1, "load_by_name_with_config", "m", "{", GRAPH)],
        models={"m": "add-f32"},
        log="load_by_name_with_config: '{' is not a JSON object; expected one",
    ),
    "configuration-for-an-unknown-name": Case(
        steps=[(8, "load_by_name_with_config", "n", "{}", GRAPH)],
        log="load_by_name_with_config: no model 'n'; expected one that is granted (none is)",
    ),
}

OWN = {
    "own-model": Case(
        steps=[
            (0, "load", Builder(ADD), 1, 4, 0, GRAPH),
            (0, "init_execution_context", Cell(GRAPH), CONTEXT),
            set_input(A),
            set_input(B, index=1),
            *output(SUM),
        ],
        may_load=True,
    ),
    "own-model-autodetected-on-any-target": Case(
        steps=[(0, "load", Builder(ADD), 1, 5, 3, GRAPH)], may_load=True
    ),
    "own-model-is-a-granted-one": Case(
        steps=[
            (0, "load", Builder(ADD), 1, 4, 0, GRAPH),
            (0, "init_execution_context", Cell(GRAPH), CONTEXT),
            set_input(A),
            set_input(B, index=1),
            *output(SUM),
        ],
        models={"other": "double", "m": "add-f32"},
    ),
    "own-model-denied": Case(
        steps=[(0, "load", Builder(ADD), 1, 4, 0, GRAPH)],
        models={"m": "double"},
        reason=Reason.DENIED,
        message=UNGRANTED,
    ),
    "own-model-that-differs-in-its-last-byte": Case(
        steps=[(0, "load", Builder(ADD[:-1] + bytes([ADD[-1] ^ 1])), 1, 4, 0, GRAPH)],
        models={"m": "add-f32"},
        reason=Reason.DENIED,
        message=UNGRANTED,
    ),
    "own-model-in-two-parts": own(
        "load: the model has 2 parts; expected 1 for TensorFlow Lite", 1, ADD, count=2
    ),
    "own-model-in-no-part": own(
        "load: the model has 0 parts; expected 1 for TensorFlow Lite", 1, ADD, count=0
    ),
    "own-model-for-openvino": own(
        "load: encoding 0 has no backend; expected 4 (tensorflowlite) or 5", 2, ADD, encoding=0
    ),
    "own-model-of-unknown-encoding": own(
        "load: encoding 77 has no backend; expected 4 (tensorflowlite) or 5", 2, ADD, encoding=77
    ),
    "own-model-for-a-gpu": own("load: target 1 has no backend; expected 0 (cpu)", 6, ADD, target=1),
    "own-model-outside-memory": Case(
        steps=[(1, "load", Builder(ADD, at=MEMORY_BYTES - 8), 1, 4, 0, GRAPH)],
        may_load=True,
        log=f"load: the model is out of bounds; "
        f"expected {len(ADD)} bytes at {MEMORY_BYTES - 8} within {MEMORY_BYTES}",
    ),
    "own-model-is-listed-outside-memory": Case(
        steps=[(1, "load", MEMORY_BYTES - 4, 1, 4, 0, GRAPH)],
        may_load=True,
        log=f"load: the list of parts is out of bounds; "
        f"expected 8 bytes at {MEMORY_BYTES - 4} within {MEMORY_BYTES}",
    ),
    "own-model-s-graph-outside-memory": Case(
        steps=[(1, "load", Builder(ADD), 1, 4, 0, MEMORY_BYTES)],
        may_load=True,
        log=f"load: the address for the graph is out of bounds; "
        f"expected 4 bytes at {MEMORY_BYTES} within {MEMORY_BYTES}",
    ),
    "own-model-is-none": own("load: the model is not a TensorFlow Lite model (…)", 1, b"GIF89a, not a model"),
    "own-model-is-empty": own("load: the model is not a TensorFlow Lite model (…)", 1, b""),
    "own-model-has-unknown-operators": own(
        "load: the model has operators that the backend lacks (Oracle)", 6, model_bytes("custom")
    ),
    "own-model-has-operators-of-the-future": own(
        "load: the model has operators that the backend lacks (ADD)", 6, model_bytes("future")
    ),
    "own-model-takes-text": own(
        "load: the model tensor 'words' holds bytes; expected numbers", 6, model_bytes("words")
    ),
}

TYPES = {
    "f16": handed_on("f16", 0, 2),
    "f32": handed_on("f32", 1, 4),
    "u8-in-the-old-table": handed_on("u8", 2, 1),
    "u8-in-the-new-table": handed_on("u8", 3, 1),
    "i32-in-the-old-table": handed_on("i32", 3, 4),
    "i32-in-the-new-table": handed_on("i32", 4, 4),
    "f64": handed_on("f64", 2, 8),
    "i64": handed_on("i64", 5, 8),
    "i8-sent-as-u8": handed_on("i8", 3, 1),
    "bool-sent-as-u8-in-the-old-table": Case(
        steps=[*opened(), set_input(Tensor((1, 2, 2, 3), 2, b"\0\1" * 6)), *output(b"\0\1" * 6)],
        models={"m": "reshape-bool"},
    ),
    "u8-by-the-manifest-s-old-table": handed_on("u8", 2, 1, TensorTypes.OLD),
    "u8-by-the-manifest-s-new-table": handed_on("u8", 3, 1, TensorTypes.NEW),
    "i32-by-the-manifest-s-old-table": handed_on("i32", 3, 4, TensorTypes.OLD),
    "i32-by-the-manifest-s-new-table": handed_on("i32", 4, 4, TensorTypes.NEW),
    "f32-for-u8": refused("u8", 1, 1, "f32", 12),
    "i32-for-u8": refused("u8", 4, 1, "i32", 12),
    "unknown-type": refused("u8", 9, 1, "unknown", 12),
    "u8-or-f64-for-f32": refused("f32", 2, 4, "f64 or u8", 48),
    "u8-or-i32-for-f32": refused("f32", 3, 4, "u8 or i32", 48),
    "no-name-for-i16": refused("i16", 3, 2, "u8 or i32", 24),
    "u8-of-the-new-table-in-the-old": refused("u8", 3, 1, "i32", 12, TensorTypes.OLD),
    "u8-of-the-old-table-in-the-new": refused("u8", 2, 1, "f64", 12, TensorTypes.NEW),
    "f64-in-the-old-table": refused("f64", 2, 8, "u8", 96, TensorTypes.OLD),
    # Crate wasi-nn 0.1.0 leaves the bytes after the type as they were.
    "type-is-one-byte": Case(
        steps=[
            *opened(),
            set_input(Tensor((1, 2, 2, 3), 2, PICTURE, padding=b"\xaa\xbb\xcc")),
            *output(PICTURE),
        ],
        models={"m": "reshape-u8"},
    ),
}

INPUTS = {
    "too-few-bytes": ill(
        f"set_input: input 0 'a': has 12 bytes; {EXPECTED_SUM}",
        set_input(Tensor((1, 4), 1, f32(1, 2, 3)), 1),
    ),
    "too-many-bytes": ill(
        f"set_input: input 0 'a': has 20 bytes; {EXPECTED_SUM}",
        set_input(Tensor((1, 4), 1, f32(1, 2, 3, 4, 5)), 1),
    ),
    "wrong-rank": ill(
        f"set_input: input 0 'a': has 1 dimensions; {EXPECTED_SUM}", set_input(Tensor((4,), 1, A.data), 1)
    ),
    "wrong-shape": ill(
        f"set_input: input 0 'a': has the shape 4x1; {EXPECTED_SUM}", set_input(Tensor((4, 1), 1, A.data), 1)
    ),
    "no-such-input": ill("set_input: no input 2; expected an index below 2", set_input(A, 1, index=2)),
    "input-minus-one": ill(
        "set_input: no input 4294967295; expected an index below 2", set_input(A, 1, index=-1)
    ),
    "record-outside-memory": ill(
        f"set_input: input 0 'a': its record is out of bounds; "
        f"expected 20 bytes at {MEMORY_BYTES - 19} within {MEMORY_BYTES}",
        (1, "set_input", Cell(CONTEXT), 0, MEMORY_BYTES - 19),
    ),
    "data-outside-memory": ill(
        f"set_input: input 0 'a': its data is out of bounds; "
        f"expected 16 bytes at {MEMORY_BYTES - 15} within {MEMORY_BYTES}",
        set_input(Tensor((1, 4), 1, A.data, data_at=MEMORY_BYTES - 15), 1),
    ),
    "data-longer-than-memory": ill(
        f"set_input: input 0 'a': its data is out of bounds; "
        f"expected 4294967295 bytes at 0 within {MEMORY_BYTES}",
        set_input(Tensor((1, 4), 1, A.data, data_at=0, size=0xFFFF_FFFF), 1),
    ),
    "dimensions-outside-memory": ill(
        f"set_input: input 0 'a': its dimensions is out of bounds; "
        f"expected 8 bytes at {MEMORY_BYTES - 7} within {MEMORY_BYTES}",
        set_input(Tensor((1, 4), 1, A.data, dims_at=MEMORY_BYTES - 7), 1),
    ),
    "billions-of-dimensions": ill(
        f"set_input: input 0 'a': its dimensions is out of bounds; "
        f"expected 17179869180 bytes at 0 within {MEMORY_BYTES}",
        set_input(Tensor((1, 4), 1, A.data, dims_at=0, rank=0xFFFF_FFFF), 1),
    ),
    "compute-without-input": ill(f"compute: input 0 'a': {NOT_SET}", (1, "compute", Cell(CONTEXT))),
    "compute-without-the-second-input": ill(
        f"compute: input 1 'b': {NOT_SET}", set_input(A), (1, "compute", Cell(CONTEXT))
    ),
    "refused-input-is-not-set": ill(
        f"set_input: input 0 'a': has 1 dimensions; {EXPECTED_SUM}\nwasi-nn: compute: input 0 'a': {NOT_SET}",
        set_input(Tensor((4,), 1, A.data), 1),
        (1, "compute", Cell(CONTEXT)),
    ),
    "inputs-stay-and-can-be-replaced": Case(
        steps=[
            *opened(),
            set_input(A),
            set_input(A, index=1),
            *output(f32(2, 4, 6, 8)),
            set_input(B, index=1),
            *output(SUM),
        ],
        models={"m": "add-f32"},
    ),
}

ADDED: list[Step] = [set_input(A), set_input(B, index=1), (0, "compute", Cell(CONTEXT))]

OUTPUTS = {
    "buffer-that-just-fits": Case(steps=[*opened(), *ADDED, *output(SUM, room=16)], models={"m": "add-f32"}),
    "buffer-too-small": ill(
        "get_output: output 0 'sum': has 16 bytes; expected a buffer of that size, not 15",
        *ADDED,
        (7, "get_output", Cell(CONTEXT), 0, OUT, 15, WRITTEN),
        Found(WRITTEN, u32(16)),
        Found(OUT, bytes(16)),
    ),
    "buffer-of-nothing": ill(
        "get_output: output 0 'sum': has 16 bytes; expected a buffer of that size, not 0",
        *ADDED,
        (7, "get_output", Cell(CONTEXT), 0, 0, 0, WRITTEN),
    ),
    "buffer-at-the-end-of-memory": Case(
        steps=[
            *opened(),
            *ADDED,
            (0, "get_output", Cell(CONTEXT), 0, MEMORY_BYTES - 16, 16, WRITTEN),
            Found(MEMORY_BYTES - 16, SUM),
        ],
        models={"m": "add-f32"},
    ),
    "buffer-outside-memory": ill(
        f"get_output: the output's buffer is out of bounds; "
        f"expected 16 bytes at {MEMORY_BYTES - 15} within {MEMORY_BYTES}",
        *ADDED,
        (1, "get_output", Cell(CONTEXT), 0, MEMORY_BYTES - 15, 16, WRITTEN),
    ),
    "size-s-place-outside-memory": ill(
        f"get_output: the address for the size is out of bounds; "
        f"expected 4 bytes at {MEMORY_BYTES - 3} within {MEMORY_BYTES}",
        *ADDED,
        (1, "get_output", Cell(CONTEXT), 0, OUT, 1024, MEMORY_BYTES - 3),
        Found(OUT, bytes(16)),
    ),
    "no-such-output": ill(
        "get_output: no output 1; expected an index below 1",
        *ADDED,
        (1, "get_output", Cell(CONTEXT), 1, OUT, 1024, WRITTEN),
    ),
    "output-before-compute": ill(
        "get_output: there are no outputs; expected compute before get_output",
        (1, "get_output", Cell(CONTEXT), 0, OUT, 1024, WRITTEN),
    ),
    # Nothing that lay in memory before is handed out.
    "output-that-nothing-computes": ill(
        "compute: the model can't be run (…)\n"
        "wasi-nn: get_output: there are no outputs; expected compute before get_output",
        set_input(Tensor((1, 64), 4, bytes(256))),
        (5, "compute", Cell(CONTEXT)),
        (1, "get_output", Cell(CONTEXT), 1, OUT, 1024, WRITTEN),
        model="unwritten",
    ),
    "output-as-long-as-the-input-says": Case(
        steps=[
            *opened(),
            set_input(Tensor((), 4, u32(5))),
            *output(u32(0, 1, 2, 3, 4)),
            set_input(Tensor((), 4, u32(2))),
            *output(u32(0, 1)),
            set_input(Tensor((), 4, u32(0))),
            *output(b""),
        ],
        models={"m": "count-range"},
    ),
}

SECOND = 80
"""Where the second of two handles lies."""

HANDLES = {
    "unknown-graph": unknown_graph("init_execution_context", CONTEXT),
    "unload-an-unknown-graph": unknown_graph("unload"),
    "input-of-an-unknown-context": unknown_context("set_input", 0, OUT),
    "compute-an-unknown-context": unknown_context("compute"),
    "output-of-an-unknown-context": unknown_context("get_output", 0, OUT, 4, WRITTEN),
    "finalize-an-unknown-context": unknown_context("finalize_execution_context"),
    "piecemeal-compute-of-an-unknown-context": unknown_context("compute_single"),
    "context-s-place-outside-memory": Case(
        steps=[
            (0, "load_by_name", "m", GRAPH),
            (1, "init_execution_context", Cell(GRAPH), MEMORY_BYTES - 2),
        ],
        models={"m": "add-f32"},
        log=f"init_execution_context: the address for the context is out of bounds; "
        f"expected 4 bytes at {MEMORY_BYTES - 2} within {MEMORY_BYTES}",
    ),
    "two-contexts-keep-apart": Case(
        steps=[
            *opened(),
            (0, "init_execution_context", Cell(GRAPH), SECOND),
            set_input(A),
            set_input(B, index=1),
            (0, "set_input", Cell(SECOND), 0, B),
            (0, "set_input", Cell(SECOND), 1, B),
            (0, "compute", Cell(CONTEXT)),
            (0, "compute", Cell(SECOND)),
            (0, "get_output", Cell(CONTEXT), 0, OUT, 1024, WRITTEN),
            Found(OUT, SUM),
            (0, "get_output", Cell(SECOND), 0, OUT, 1024, WRITTEN),
            Found(OUT, f32(1, -4, 20, 0.5)),
        ],
        models={"m": "add-f32"},
    ),
    "two-graphs-of-one-model": Case(
        steps=[
            *opened(),
            (0, "load_by_name", "m", SECOND),
            (0, "unload", Cell(SECOND)),
            set_input(A),
            set_input(B, index=1),
            *output(SUM),
        ],
        models={"m": "add-f32"},
    ),
    "all-of-several-that-are-piecemeal": Case(
        steps=[
            *opened(),
            (6, "compute_single", Cell(CONTEXT)),
            (6, "get_output_single", Cell(CONTEXT), 0, OUT, 4, WRITTEN),
            (6, "fini_single", Cell(CONTEXT)),
        ],
        models={"m": "add-f32"},
        log="\nwasi-nn: ".join(
            f"{name}: is for models with incremental output; expected compute and get_output"
            for name in ("compute_single", "get_output_single", "fini_single")
        ),
    ),
}

ACCUMULATED: list[Step] = [set_input(Tensor((1, 1), 1, f32(2))), *output(f32(2)), *output(f32(4))]
REMEMBERED: list[Step] = [set_input(Tensor((1,), 1, f32(2))), *output(f32(2)), *output(f32(4))]

STATE = {
    "state-stays-in-its-context": Case(
        steps=[*opened(), *ACCUMULATED, *opened(), *ACCUMULATED], models={"m": "accumulate"}
    ),
    "resources-stay-in-their-context": Case(
        steps=[*opened(), *REMEMBERED, *opened(), *REMEMBERED], models={"m": "remember"}
    ),
}

CASES = {**NAMED, **OWN, **TYPES, **INPUTS, **OUTPUTS, **HANDLES, **STATE}
"""The log is without the "wasi-nn: " that begins it; "…" in it stands for the backend's own words."""
