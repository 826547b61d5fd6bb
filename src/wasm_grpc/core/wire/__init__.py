"""
The messages between the server's tower and the worker's, over one stream socket.

Theory of operation. A message is a frozen dataclass (`messages`). The codec turns it into a *frame* and back:
a fixed header, a *head* and a *body*::

    u32 kind | u32 length of head | u64 length of body | head | body

little-endian. The head of a control message is a JSON object of its fields, but for the one field that is its
body. The messages of the hot path, `INVOKE`, `RESULT`, `READ`, `INPUT` and `OUTPUT`, have a packed head or
none instead, because JSON would cost more than the rest of the exchange. The reader cuts what a socket gives
into frames.

Nothing here unpickles: a worker whose engine was escaped from may send any bytes, and the worst that they may
do is a `ProtocolError`. A field that is missing, unknown or of another type is one too, and is named in it.

What is sent when:

================================  ======  =================================================================
message                           from    meaning
================================  ======  =================================================================
HELLO                             worker  first message: package and wire version
ENGINE_OPENED / ENGINE_FAILED     worker  second message: the engine and its target / why it can't be opened
LOAD                              server  load a function under an index
LOADED / LOAD_FAILED              worker  it is ready / it can't be loaded
INVOKE                            server  run the function of that index; one at a time
READ                              worker  a streaming guest waits for input
RESUME                            worker  it waits no longer, though no input came: a timeout has passed
RESUMED                           server  it may go on: it has its run slot; input may come before this
INPUT                             server  input, asked for or not; empty means its end
OUTPUT / LOG                      worker  a streaming guest wrote to standard output / error
RESULT                            worker  the invocation ended
COMPILE                           server  check, limit and compile a module
COMPILED / COMPILE_REFUSED        worker  the native code / why there is none
INSPECT                           server  try a model, or the inference backend alone
INSPECTED / INSPECT_REFUSED       worker  the backend, and the model's memory / why it can't be run
================================  ======  =================================================================
"""

from __future__ import annotations

from wasm_grpc.core.wire.codec import decode, encode
from wasm_grpc.core.wire.frames import HEAD_LIMIT_BYTES, WIRE_VERSION, Frame, Kind, Pieces, pack
from wasm_grpc.core.wire.messages import (
    Compile,
    Compiled,
    CompileRefused,
    EngineFailed,
    EngineOpened,
    Hello,
    Input,
    Inspect,
    Inspected,
    InspectRefused,
    Invoke,
    Load,
    Loaded,
    LoadFailed,
    Log,
    Message,
    Output,
    Read,
    Result,
    Resume,
    Resumed,
    encode_env,
)
from wasm_grpc.core.wire.reader import FrameReader

__all__ = [
    "HEAD_LIMIT_BYTES",
    "WIRE_VERSION",
    "Compile",
    "CompileRefused",
    "Compiled",
    "EngineFailed",
    "EngineOpened",
    "Frame",
    "FrameReader",
    "Hello",
    "Input",
    "Inspect",
    "InspectRefused",
    "Inspected",
    "Invoke",
    "Kind",
    "Load",
    "LoadFailed",
    "Loaded",
    "Log",
    "Message",
    "Output",
    "Pieces",
    "Read",
    "Result",
    "Resume",
    "Resumed",
    "decode",
    "encode",
    "encode_env",
    "pack",
]
