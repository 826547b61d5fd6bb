"""Every function of ``wasmedge_tensorflowlite``, from inside a guest: what it does, and how it fails."""

from __future__ import annotations

import struct
from dataclasses import replace

from conformance.tensorflowlite.steps import (
    MEMORY_BYTES,
    OUT,
    SESSION,
    TENSOR,
    Append,
    At,
    Case,
    Cell,
    Create,
    Data,
    Delete,
    Length,
    Output,
    Run,
    Step,
    Table,
)
from models import model_bytes
from wasm_grpc.core.model import Reason

__all__ = ["CASES"]

OTHER_SESSION, OTHER_TENSOR = SESSION + 8, TENSOR + 8
PICTURE = bytes(range(1, 13))  # 1x2x2x3 of one byte each
ADD, DOUBLE = model_bytes("add-f32"), model_bytes("double")
FOREVER = 0xFFFF_FFFF


def f32(*values: float) -> bytes:
    """Pack numbers of 32 bits."""
    return struct.pack(f"<{len(values)}f", *values)


def i32(*values: int) -> bytes:
    """Pack whole numbers of 32 bits."""
    return struct.pack(f"<{len(values)}i", *values)


def output(name: str, content: bytes) -> list[Step]:
    """Run the session and find an output."""
    return [Run(), Output(output=name), Length(found=len(content)), Data(found=content)]


def outside(what: str, at: int, length: int) -> str:
    """Return what the host says of bytes that the guest's memory does not have."""
    return f"{what} is out of bounds; expected {length} bytes at {at} within {MEMORY_BYTES}"


def handed_on(kind: str, element: int) -> Case:
    """A model that hands its input on: the very same bytes come out, whatever their type."""
    content = bytes(range(1, 12 * element + 1))
    steps = [
        Create(model=model_bytes(f"reshape-{kind}")),
        Append(input="picture", data=content),
        *output("flat", content),
    ]
    return Case(steps=steps, models=[f"reshape-{kind}"])


def ill(*steps: Step, current: bool = True, first: bool = True) -> Case:
    """Mistakes with an open session of two inputs, both of which are set."""
    tables = [table for table, wanted in zip(Table, (current, first), strict=True) if wanted]
    return Case(steps=[*OPENED, *steps], models=["add-f32"], tables=tables)


def not_created(log: str, model: bytes | At, *, errno: int = 1, may_load: bool = True) -> Case:
    """A model that is not taken."""
    return Case(steps=[Create(model=model, errno=errno, log=log)], may_load=may_load, models=["double"])


def unknown(step: Step, kind: str = "session", handle: int | None = 7) -> Step:
    """A call with a handle that this instance never got."""
    giver = "create_session" if kind == "session" else "get_output_tensor"
    log = f"{kind} {handle} is not open; expected one that {giver} returned"
    return replace(step, errno=1, log=log)


A, B = f32(1, 2, 3, 4), f32(0.5, -2, 10, 0.25)
SUM = f32(1.5, 0, 13, 4.25)
EXPECTED = "expected 1x4:f32, 16 bytes"
UNGRANTED = (
    "the guest brings a model that was not granted; expected the content of a file in "
    "capabilities.nn.models, or capabilities.nn.load = true (`wasm-grpc run`: --nn-model, --nn)"
)
NO_OUTPUTS = "there are no outputs; expected a run_session that succeeded"
OPENED: list[Step] = [Create(model=ADD), Append(input="a", data=A), Append(input="b", data=B)]

WORK = {
    "two-inputs": Case(steps=[*OPENED, *output("sum", SUM)], models=["add-f32"]),
    "inputs-in-any-order": Case(
        steps=[
            Create(model=ADD),
            Append(input="b", data=B),
            Append(input="a", data=A),
            *output("sum", SUM),
        ],
        models=["add-f32"],
    ),
    "own-model": Case(steps=[*OPENED, *output("sum", SUM)], may_load=True),
    "own-model-beside-a-granted-one": Case(
        steps=[*OPENED, *output("sum", SUM)], models=["double"], may_load=True
    ),
    "one-of-two-granted-models": Case(
        steps=[
            Create(model=DOUBLE),
            Append(input="n", data=i32(-21)),
            *output("twice", i32(-42)),
        ],
        models=["add-f32", "double"],
    ),
    "u8": handed_on("u8", 1),
    "i8": handed_on("i8", 1),
    "f16": handed_on("f16", 2),
    "i32": handed_on("i32", 4),
    "i64": handed_on("i64", 8),
    "f64": handed_on("f64", 8),
    "inputs-stay-and-can-be-replaced": Case(
        steps=[
            *OPENED,
            *output("sum", SUM),
            *output("sum", SUM),
            Append(input="a", data=B),
            *output("sum", f32(1, -4, 20, 0.5)),
        ],
        models=["add-f32"],
    ),
    "outputs-are-found-before-the-run": Case(
        steps=[
            Create(model=DOUBLE),
            Output(output="twice"),
            Length(found=4),
            Append(input="n", data=i32(4)),
            Run(),
            Length(found=4),
            Data(found=i32(8)),
        ],
        models=["double"],
    ),
    "outputs-are-found-a-thousand-times": Case(
        steps=[*OPENED, Run(), *[Output(output="sum")] * 1000, Data(found=SUM)], models=["add-f32"]
    ),
    "an-output-as-long-as-the-input-says": Case(
        steps=[
            Create(model=model_bytes("count-range")),
            Append(input="n", data=i32(3)),
            *output("numbers", i32(0, 1, 2)),
            Append(input="n", data=i32(0)),
            *output("numbers", b""),
        ],
        models=["count-range"],
    ),
    "two-sessions-keep-apart": Case(
        steps=[
            *OPENED,
            Create(model=ADD, place=OTHER_SESSION),
            Append(input="a", data=B, session=Cell(OTHER_SESSION)),
            Append(input="b", data=B, session=Cell(OTHER_SESSION)),
            Run(),
            Run(session=Cell(OTHER_SESSION)),
            Output(output="sum", session=Cell(OTHER_SESSION), place=OTHER_TENSOR),
            Output(output="sum"),
            Data(found=SUM),
            Data(
                found=f32(1, -4, 20, 0.5),
                session=Cell(OTHER_SESSION),
                tensor=Cell(OTHER_TENSOR),
                place=OUT + 100,
            ),
            Delete(session=Cell(OTHER_SESSION)),
            Data(found=SUM),
        ],
        models=["add-f32"],
    ),
    "state-stays-in-its-session": Case(
        steps=[
            Create(model=model_bytes("accumulate")),
            Append(input="x", data=f32(2)),
            *output("total", f32(2)),
            *output("total", f32(4)),
            Create(model=model_bytes("accumulate")),
            Append(input="x", data=f32(2)),
            *output("total", f32(2)),
        ],
        models=["accumulate"],
    ),
    "deleted": Case(steps=[*OPENED, Delete()], models=["add-f32"]),
    "at-the-edges-of-memory": Case(
        steps=[
            *OPENED,
            Run(),
            Output(output="sum"),
            Data(found=SUM, place=MEMORY_BYTES - len(SUM), written=0),
            Append(input="a", data=At(MEMORY_BYTES - len(SUM), len(SUM))),
        ],
        models=["add-f32"],
    ),
    # The size is written last.
    "size-over-the-data": ill(
        Run(),
        Output(output="sum"),
        Data(found=struct.pack("<I", 16) + SUM[4:], written=OUT),
        first=False,
    ),
}

CREATE = {
    "model-is-none": not_created("the model is not a TensorFlow Lite model (…)", b"GIF89a, not a model"),
    "model-is-empty": not_created("the model is not a TensorFlow Lite model (…)", b""),
    "model-has-unknown-operators": not_created(
        "the model has operators that the backend lacks (Oracle)", model_bytes("custom"), errno=4
    ),
    "model-takes-text": not_created(
        "the model tensor 'words' holds bytes; expected numbers", model_bytes("words"), errno=4
    ),
    "model-leads-out-of-its-tensors": not_created(
        "the model has an operator TRANSPOSE that may access memory outside its tensors; "
        "expected constant parameters that are in range",
        model_bytes("transpose-twice"),
    ),
    "model-outside-memory": not_created(
        outside("the model", MEMORY_BYTES - 8, 16), At(MEMORY_BYTES - 8, 16), errno=3
    ),
    "model-as-long-as-addresses": not_created(
        outside("the model", FOREVER, FOREVER), At(-1, -1), errno=3, may_load=False
    ),
    "model-not-granted": Case(
        steps=[Create(model=ADD)],
        models=["double"],
        reason=Reason.DENIED,
        message=UNGRANTED,
    ),
    "model-that-differs-in-its-last-byte": Case(
        steps=[Create(model=DOUBLE[:-1] + bytes([DOUBLE[-1] ^ 1]))],
        models=["double"],
        reason=Reason.DENIED,
        message=UNGRANTED,
    ),
    "session-s-place-outside-memory": Case(
        steps=[
            Create(
                model=ADD,
                place=MEMORY_BYTES - 3,
                errno=3,
                log=outside("the address for the session", MEMORY_BYTES - 3, 4),
            )
        ],
        models=["add-f32"],
        tables=[Table.CURRENT],
    ),
}

INPUTS = {
    "unknown-input": ill(
        Append(input="c", data=A, errno=1, log="no input 'c'; expected one of the model's ('a', 'b')")
    ),
    "input-without-a-name": ill(
        Append(input="", data=A, errno=1, log="no input ''; expected one of the model's ('a', 'b')")
    ),
    "input-s-name-is-no-text": ill(
        Append(
            input=b"\xff\n",
            data=A,
            errno=1,
            log="no input '\ufffd\\n'; expected one of the model's ('a', 'b')",
        )
    ),
    "input-s-name-is-long": ill(
        Append(
            input="é" * 1000,
            data=A,
            errno=1,
            log=f"no input '{'é' * 60}'; expected one of the model's ('a', 'b')",
        )
    ),
    "input-s-name-as-long-as-addresses": ill(
        Append(input=At(0, -1), data=A, errno=3, log=outside("the name", 0, FOREVER))
    ),
    "input-s-name-as-long-as-memory": ill(
        Append(
            input=At(0, MEMORY_BYTES),
            data=A,
            errno=1,
            log="no input '" + "\\x00" * 60 + "'; expected one of the model's ('a', 'b')",
        )
    ),
    "too-few-bytes": ill(
        Append(input="a", data=A[:12], errno=1, log=f"input 0 'a': has 12 bytes; {EXPECTED}")
    ),
    "too-many-bytes": ill(
        Append(input="b", data=A + A, errno=1, log=f"input 1 'b': has 32 bytes; {EXPECTED}")
    ),
    "data-outside-memory": ill(
        Append(
            input="a",
            data=At(MEMORY_BYTES - 15, 16),
            errno=3,
            log=outside("the tensor", MEMORY_BYTES - 15, 16),
        )
    ),
    "data-as-long-as-addresses": ill(
        Append(input="a", data=At(-1, -1), errno=3, log=outside("the tensor", FOREVER, FOREVER))
    ),
    "refused-input-keeps-the-old-one": ill(
        Append(input="a", data=A[:12], errno=1, log=f"input 0 'a': has 12 bytes; {EXPECTED}"),
        *output("sum", SUM),
    ),
}

RUNS = {
    "run-without-inputs": Case(
        steps=[
            Create(model=ADD),
            Run(errno=1, log="input 0 'a': is not set; expected append_input before run_session"),
            Output(output="sum"),
            Length(found=16),
            Data(found=bytes(16), errno=1, log=NO_OUTPUTS),
        ],
        models=["add-f32"],
    ),
    "run-without-the-second-input": Case(
        steps=[
            Create(model=ADD),
            Append(input="a", data=A),
            Run(errno=1, log="input 1 'b': is not set; expected append_input before run_session"),
        ],
        models=["add-f32"],
    ),
    # Nothing that lay in memory before is handed out.
    "run-that-fails": Case(
        steps=[
            Create(model=model_bytes("unwritten")),
            Append(input="n", data=bytes(256)),
            Run(errno=4, log="the model can't be run (…)"),
            Output(output="nothing"),
            Data(found=bytes(256), errno=1, log=NO_OUTPUTS),
        ],
        models=["unwritten"],
    ),
}

OUTPUTS = {
    "unknown-output": ill(
        Output(output="a", errno=1, log="no output 'a'; expected one of the model's ('sum')")
    ),
    "output-s-name-outside-memory": ill(
        Output(output=At(MEMORY_BYTES - 1, 2), errno=3, log=outside("the name", MEMORY_BYTES - 1, 2))
    ),
    "tensor-s-place-outside-memory": ill(
        Output(
            output="sum",
            place=MEMORY_BYTES - 3,
            errno=3,
            log=outside("the address for the tensor", MEMORY_BYTES - 3, 4),
        ),
        first=False,
    ),
    "length-s-place-outside-memory": ill(
        Output(output="sum"),
        Length(place=-4, errno=3, log=outside("the address for the length", FOREVER - 3, 4)),
        first=False,
    ),
    "data-before-the-run": ill(Output(output="sum"), Data(found=SUM, errno=1, log=NO_OUTPUTS)),
    "buffer-is-too-small": ill(
        Run(),
        Output(output="sum"),
        Data(room=15, errno=1, log="output 0 'sum': has 16 bytes; expected a buffer of that size, not 15"),
        first=False,
    ),
    "buffer-is-too-large": ill(
        Run(),
        Output(output="sum"),
        Data(room=17, errno=1, log="output 0 'sum': has 16 bytes; expected a buffer of that size, not 17"),
        first=False,
    ),
    "buffer-as-long-as-addresses": ill(
        Run(),
        Output(output="sum"),
        Data(place=-1, room=-1, errno=3, log=outside("the tensor's buffer", FOREVER, FOREVER)),
        first=False,
    ),
    "buffer-outside-memory": ill(
        Run(),
        Output(output="sum"),
        Data(
            room=16,
            place=MEMORY_BYTES - 15,
            errno=3,
            log=outside("the tensor's buffer", MEMORY_BYTES - 15, 16),
        ),
    ),
    "size-s-place-outside-memory": ill(
        Run(),
        Output(output="sum"),
        Data(
            room=16,
            written=MEMORY_BYTES - 3,
            errno=3,
            log=outside("the address for the size", MEMORY_BYTES - 3, 4),
        ),
        first=False,
    ),
}

HANDLES = {
    "delete-an-unknown-session": ill(unknown(Delete(session=7))),
    "append-to-an-unknown-session": ill(unknown(Append(input="a", data=A, session=7))),
    "run-an-unknown-session": ill(unknown(Run(session=7))),
    "output-of-an-unknown-session": ill(unknown(Output(output="sum", session=7))),
    "length-of-an-unknown-tensor": ill(unknown(Length(tensor=7), "tensor")),
    "data-of-an-unknown-tensor": ill(unknown(Data(tensor=7), "tensor")),
    "length-in-an-unknown-session": ill(unknown(Length(session=7)), first=False),
    "data-in-an-unknown-session": ill(unknown(Data(session=7)), first=False),
    "no-session-is-0": ill(unknown(Run(session=0), handle=0)),
    "no-tensor-is-0": ill(unknown(Data(tensor=0), "tensor", 0)),
    "delete-what-was-not-created": Case(
        steps=[
            Create(model=b"no model", errno=1, log="the model is not a TensorFlow Lite model (…)"),
            Delete(session=0),
        ],
        may_load=True,
        tables=[Table.FIRST],
    ),
    "length-of-no-tensor": Case(steps=[Length(tensor=0, found=0)], models=["add-f32"], tables=[Table.FIRST]),
    "session-of-64-bits": ill(
        unknown(Run(session=-1), handle=(1 << 64) - 1),
        unknown(Run(session=-(1 << 63)), handle=1 << 63),
        current=False,
    ),
    "length-of-a-tensor-of-64-bits": ill(
        unknown(Length(tensor=-(1 << 63)), "tensor", 1 << 63), current=False
    ),
    "data-of-a-tensor-of-64-bits": ill(unknown(Data(tensor=-2), "tensor", (1 << 64) - 2), current=False),
    "handles-of-32-bits": ill(unknown(Run(session=-1), handle=FOREVER), first=False),
    "tensor-of-another-session": Case(
        steps=[
            *OPENED,
            Run(),
            Output(output="sum"),
            Create(model=ADD, place=OTHER_SESSION),
            Length(
                session=Cell(OTHER_SESSION),
                errno=1,
                log="tensor N is another session's; expected one of N",
            ),
            Data(
                session=Cell(OTHER_SESSION),
                room=16,
                errno=1,
                log="tensor N is another session's; expected one of N",
            ),
        ],
        models=["add-f32"],
        tables=[Table.CURRENT],
    ),
}


def not_open(step: Step, kind: str) -> Step:
    """A call with a handle that is not open any more, or never was."""
    giver = "create_session" if kind == "session" else "get_output_tensor"
    return replace(step, errno=1, log=f"{kind} N is not open; expected one that {giver} returned")


STALE = {
    "deleted-twice": ill(Delete(), not_open(Delete(), "session")),
    "run-after-delete": ill(Delete(), not_open(Run(), "session")),
    "append-after-delete": ill(Delete(), not_open(Append(input="a", data=A), "session")),
    "output-after-delete": ill(Delete(), not_open(Output(output="sum", place=OTHER_TENSOR), "session")),
    "length-after-delete": ill(
        Run(), Output(output="sum"), Delete(), not_open(Length(), "tensor"), current=False
    ),
    "data-after-delete": ill(
        Run(), Output(output="sum"), Delete(), not_open(Data(found=SUM), "tensor"), current=False
    ),
    "data-of-a-deleted-session": ill(
        Run(), Output(output="sum"), Delete(), not_open(Data(found=SUM), "session"), first=False
    ),
    "tensor-of-a-deleted-session": ill(
        Run(),
        Output(output="sum"),
        Delete(),
        Create(model=ADD),
        not_open(Data(found=SUM), "tensor"),
    ),
    "a-tensor-is-no-session": ill(Output(output="sum"), not_open(Run(session=Cell(TENSOR)), "session")),
    "a-session-is-no-tensor": ill(not_open(Data(tensor=Cell(SESSION)), "tensor")),
    "a-handle-and-2-to-the-32": ill(
        not_open(Run(session=Cell(SESSION, plus=1 << 32)), "session"), current=False
    ),
}

CASES = {**WORK, **CREATE, **INPUTS, **RUNS, **OUTPUTS, **HANDLES, **STALE}
"""In a log, "N" stands for a handle, and "…" for the backend's own words."""
