"""
The messages between the server and a worker, over one stream socket.

Theory of operation. A message is a frozen dataclass (`messages`). The codec encodes it as a *frame*: a fixed
header, a *head* and a *body*. Integers are little-endian::

    u32 kind | u32 length of head | u64 length of body | head | body

The head of a control message is a JSON object of its fields, except for one large field, which is the body.
The messages of an invocation (`INVOKE`, `RESULT`, `READ`, `RESUME`, `RESUMED`, `INPUT`, `OUTPUT`, `LOG`,
`DAPR_CALL`, `DAPR_ANSWER`) have a packed head or none, because JSON would cost more than the rest of the
exchange. The reader splits the bytes that arrive at a socket into frames.

Nothing here uses pickle. If a guest breaks out of its engine, its worker may send any bytes, and the worst
that they can do is raise `ProtocolError`. A field that is missing, unknown or of the wrong type raises it
too, and the error names the field.

When each message is sent:

================================  ======  =================================================================
message                           from    meaning
================================  ======  =================================================================
HELLO                             worker  first message: versions of the package and of the protocol
ENGINE_OPENED / ENGINE_FAILED     worker  second message: the engine and its target / why it doesn't open
LOAD                              server  load a function and give it an index
LOADED / LOAD_FAILED              worker  the function is loaded / why it can't be loaded
FORK                              server  fork a process that has the functions loaded so far
FORKED / FORK_FAILED              worker  the process runs / why the kernel refuses it
INVOKE                            server  run the function of an index, after those that were sent before
READ                              worker  a streaming guest waits for input
RESUME                            worker  a guest stopped waiting without input, because its timeout is over
RESUMED                           server  the guest has its run slot back; INPUT may come before this
INPUT                             server  input, with or without a READ; empty at the end
OUTPUT / LOG                      worker  a streaming guest wrote to standard output / standard error
DAPR_CALL                         worker  a guest calls Dapr, and waits
DAPR_ANSWER                       server  the response or the error; the guest has its run slot back
RESULT                            worker  the invocation has ended
COMPILE                           server  check a module, write limits into it, compile it
COMPILED / COMPILE_REFUSED        worker  the native code / why there is none
DESCRIBE                          server  say what a module is, from its imports and exports
DESCRIBED                         worker  what it is (COMPILE_REFUSED: it can't be read)
INSPECT                           server  try a model, or only the inference backend
FIND_DECODER                      server  open the picture decoder
INSPECTED / INSPECT_REFUSED       worker  the backend and the model's memory / why the model can't be run
================================  ======  =================================================================
"""

from __future__ import annotations

from wasm_grpc.core.wire.codec import decode, encode, out_of_place
from wasm_grpc.core.wire.frames import (
    HEAD_LIMIT_BYTES,
    MESSAGE_LIMIT_BYTES,
    WIRE_VERSION,
    Frame,
    Kind,
    Pieces,
    pack,
)
from wasm_grpc.core.wire.messages import (
    DESCRIBED_NAME_CHARS,
    DESCRIBED_NAMES,
    Compile,
    Compiled,
    CompileRefused,
    DaprAnswer,
    DaprCall,
    DaprStatus,
    Describe,
    Described,
    EngineFailed,
    EngineOpened,
    FindDecoder,
    Fork,
    Forked,
    ForkFailed,
    ForkJob,
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
    "DESCRIBED_NAMES",
    "DESCRIBED_NAME_CHARS",
    "HEAD_LIMIT_BYTES",
    "MESSAGE_LIMIT_BYTES",
    "WIRE_VERSION",
    "Compile",
    "CompileRefused",
    "Compiled",
    "DaprAnswer",
    "DaprCall",
    "DaprStatus",
    "Describe",
    "Described",
    "EngineFailed",
    "EngineOpened",
    "FindDecoder",
    "Fork",
    "ForkFailed",
    "ForkJob",
    "Forked",
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
    "out_of_place",
    "pack",
]
