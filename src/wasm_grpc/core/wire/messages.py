"""The messages: one frozen dataclass each, which says who sends it and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wasm_grpc.core.model import GuestKind, Model, Outcome, WorkerFunction
from wasm_grpc.core.wire.frames import Kind

__all__ = [
    "Compile",
    "CompileRefused",
    "Compiled",
    "EngineFailed",
    "EngineOpened",
    "Hello",
    "Input",
    "Inspect",
    "InspectRefused",
    "Inspected",
    "Invoke",
    "Load",
    "LoadFailed",
    "Loaded",
    "Log",
    "Message",
    "Output",
    "Read",
    "Result",
    "Resume",
    "Resumed",
    "encode_env",
]


def encode_env(env: tuple[tuple[str, str], ...]) -> bytes:
    """
    Return ``NAME=value`` strings, each ended by NUL: what WASI's ``environ_get`` copies out.
    """
    return "".join([f"{name}={value}\0" for name, value in env]).encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Hello:
    """
    Sent by every process as its first message, before it opens the engine.

    These two fields stay for ever. Those that another wire version adds are not looked at, so that the
    server can say which version it met.

    Attributes:
        package: Version of the package that the process runs.
        wire: Its `WIRE_VERSION`.
    """

    kind: ClassVar[Kind] = Kind.HELLO

    package: str
    wire: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOpened:
    """
    Sent by every process as its second message, once its engine is open and it is in its sandbox.

    Attributes:
        python: Implementation and version of its interpreter ("CPython 3.10.13").
        version: The engine's.
        target: What native code of this engine depends on.
        is_sealed: The kernel keeps it from writing files (Landlock).
        limits_instances: The engine limits the memory of each instance, whatever its code says.
    """

    kind: ClassVar[Kind] = Kind.ENGINE_OPENED

    python: str
    version: str
    target: str
    is_sealed: bool
    limits_instances: bool


@dataclass(frozen=True, slots=True)
class EngineFailed:
    """
    Sent by a process instead of ENGINE_OPENED where its interpreter lacks the engine; it then ends.

    Attributes:
        error: Why, in one line.
    """

    kind: ClassVar[Kind] = Kind.ENGINE_FAILED

    error: str


@dataclass(frozen=True, slots=True)
class Load:
    """
    Sent by the server before the first INVOKE of a function; LOADED or LOAD_FAILED answers it.

    Attributes:
        index: Names the function in every later message; an earlier function of this index is replaced.
        function: What the worker must know of it.
    """

    kind: ClassVar[Kind] = Kind.LOAD

    index: int
    function: WorkerFunction


@dataclass(frozen=True, slots=True)
class Loaded:
    """
    Sent by a worker when it has loaded a function, in the order of the LOAD messages.

    Attributes:
        index: The function's, from its LOAD.
    """

    kind: ClassVar[Kind] = Kind.LOADED

    index: int


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """
    Sent by a worker instead of LOADED; it answers each INVOKE of the function with the same reason.

    Attributes:
        index: The function's, from its LOAD.
        error: Why, in one line without a path of this machine.
    """

    kind: ClassVar[Kind] = Kind.LOAD_FAILED

    index: int
    error: str


@dataclass(frozen=True, slots=True)
class Invoke:
    """
    Sent by the server to a worker that runs nothing; RESULT ends the invocation.

    Attributes:
        index: The function's, from its LOAD.
        env: The environment, as `encode_env` made it.
        body: The input; not used where it is streamed.
        streams: Input comes as INPUT and output is sent as OUTPUT, instead of in `body` and in the result.
        follows_log: Standard error is sent as LOG too.
    """

    kind: ClassVar[Kind] = Kind.INVOKE

    index: int
    env: bytes
    body: bytes
    streams: bool = False
    follows_log: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """
    Sent by a worker whose streaming guest waits for input, all that was sent having been taken.

    Attributes:
        limit: Bytes that the guest takes at once; 0 if it waits for input without reading it.
        taken: Bytes of input that it has had so far; if more were sent, they have crossed this message.
    """

    kind: ClassVar[Kind] = Kind.READ

    limit: int
    taken: int


@dataclass(frozen=True, slots=True)
class Resume:
    """
    Sent by a worker whose streaming guest waits no longer, though no input came: a timeout has passed.
    """

    kind: ClassVar[Kind] = Kind.RESUME


@dataclass(frozen=True, slots=True)
class Resumed:
    """
    Sent by the server in answer to RESUME, once the guest has its run slot; INPUT may come before it.
    """

    kind: ClassVar[Kind] = Kind.RESUMED


@dataclass(frozen=True, slots=True)
class Input:
    """
    Sent by the server while a streaming guest runs, whether it was asked for input or not.

    Attributes:
        chunk: The next bytes; empty at the end of the input.
    """

    kind: ClassVar[Kind] = Kind.INPUT

    chunk: bytes


@dataclass(frozen=True, slots=True)
class Output:
    """
    Sent by a worker whose streaming guest wrote to standard output.

    Attributes:
        chunk: What it wrote; `bytes` where it was received.
    """

    kind: ClassVar[Kind] = Kind.OUTPUT

    chunk: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Log:
    """
    Sent by a worker whose guest wrote to standard error, where its INVOKE asks for it.

    Attributes:
        chunk: What it wrote; `bytes` where it was received.
    """

    kind: ClassVar[Kind] = Kind.LOG

    chunk: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Result:
    """
    Sent by a worker when an invocation has ended; it may be sent the next one.

    Attributes:
        outcome: How the invocation ended.
        is_tainted: The worker ends after this message.
    """

    kind: ClassVar[Kind] = Kind.RESULT

    outcome: Outcome
    is_tainted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Compile:
    """
    Sent by the server to a compile process, once; COMPILED or COMPILE_REFUSED answers it.

    Attributes:
        guest: Which interface the module has to have.
        memory_bytes: The function's limit on memory.
        code_memory_bytes: The limit on memory that is written into the code.
        module: The module.
    """

    kind: ClassVar[Kind] = Kind.COMPILE

    guest: GuestKind
    memory_bytes: int
    code_memory_bytes: int
    module: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """
    Sent by a compile process that has compiled its module.

    Attributes:
        code: The native code.
        minimum_bytes: The memory that each instance starts with.
    """

    kind: ClassVar[Kind] = Kind.COMPILED

    code: bytes
    minimum_bytes: int


@dataclass(frozen=True, slots=True)
class CompileRefused:
    """
    Sent by a compile process instead of COMPILED where the module can't be a function of its kind.

    Attributes:
        problems: Every problem found, one line each.
        is_unsupported: The module is valid, but this engine lacks a feature; another may do.
    """

    kind: ClassVar[Kind] = Kind.COMPILE_REFUSED

    problems: tuple[str, ...]
    is_unsupported: bool


@dataclass(frozen=True, slots=True)
class Inspect:
    """
    Sent by the server to a compile process, once; INSPECTED or INSPECT_REFUSED answers it.

    Attributes:
        model: The model to open and run once; ``None`` opens the inference backend alone.
    """

    kind: ClassVar[Kind] = Kind.INSPECT

    model: Model | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """
    Sent by a compile process whose inference backend works, and ran the model.

    Attributes:
        backend: Name and version of the backend.
        memory_bytes: Writable memory that the model took.
    """

    kind: ClassVar[Kind] = Kind.INSPECTED

    backend: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class InspectRefused:
    """
    Sent by a compile process instead of INSPECTED where the model can't be run.

    Attributes:
        reason: Why, in one line; it follows on the model's name.
        is_unavailable: The backend is missing or does not load; the model may be good.
    """

    kind: ClassVar[Kind] = Kind.INSPECT_REFUSED

    reason: str
    is_unavailable: bool


Message = (
    Hello
    | EngineOpened
    | EngineFailed
    | Load
    | Loaded
    | LoadFailed
    | Invoke
    | Read
    | Resume
    | Resumed
    | Input
    | Output
    | Log
    | Result
    | Compile
    | Compiled
    | CompileRefused
    | Inspect
    | Inspected
    | InspectRefused
)
