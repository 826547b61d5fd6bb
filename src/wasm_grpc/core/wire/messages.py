"""The messages: one frozen dataclass for each, whose docstring says which side sends it and when."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar

from wasm_grpc.core.model import GuestKind, Model, Outcome, WorkerFunction
from wasm_grpc.core.walls import Wall
from wasm_grpc.core.wire.frames import Kind

__all__ = [
    "DESCRIBED_NAMES",
    "DESCRIBED_NAME_CHARS",
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
    Return ``NAME=value`` strings, each with a NUL at its end, as WASI's ``environ_get`` returns them.

    The server encodes them once, so that the worker only copies them to the guest.
    """
    return "".join([f"{name}={value}\0" for name, value in env]).encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Hello:
    """
    Sent by every process as its first message, before it opens the engine.

    Every version has these two fields. Fields that another wire version adds are ignored, so that the
    server can report which version the process has.

    Attributes:
        package: Version of the package in the process.
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
        python: Implementation and version of its interpreter, such as "CPython 3.10.13".
        version: Version of the engine.
        target: Everything that the engine's native code depends on; see `Engine.target`.
        missing_walls: What the kernel lacks to confine it.
        limits_instances: Whether the engine limits the memory of each instance, besides that in its code.
    """

    kind: ClassVar[Kind] = Kind.ENGINE_OPENED

    python: str
    version: str
    target: str
    missing_walls: tuple[Wall, ...]
    limits_instances: bool


@dataclass(frozen=True, slots=True)
class EngineFailed:
    """
    Sent by a process instead of ENGINE_OPENED if the engine doesn't open. The process then ends.

    Attributes:
        error: The reason, in one line.
    """

    kind: ClassVar[Kind] = Kind.ENGINE_FAILED

    error: str


@dataclass(frozen=True, slots=True)
class Load:
    """
    Sent by the server before the first INVOKE of a function. LOADED or LOAD_FAILED answers it.

    Attributes:
        index: Index of the function in all later messages. It replaces an earlier function of this index.
        function: Everything that the worker needs to run it.
    """

    kind: ClassVar[Kind] = Kind.LOAD

    index: int
    function: WorkerFunction


@dataclass(frozen=True, slots=True)
class Loaded:
    """
    Sent by a worker when it has loaded a function, in the order of the LOAD messages.

    Attributes:
        index: Index of the function, from its LOAD.
    """

    kind: ClassVar[Kind] = Kind.LOADED

    index: int


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """
    Sent by a worker instead of LOADED. The worker answers every INVOKE of the function with the same error.

    Attributes:
        index: Index of the function, from its LOAD.
        error: The reason, in one line, without paths of this machine.
    """

    kind: ClassVar[Kind] = Kind.LOAD_FAILED

    index: int
    error: str


class ForkJob(str, enum.Enum):
    """
    What a forked process does: run guests, fork others, or compile one module or try one model.
    """

    WORKER = "worker"
    TEMPLATE = "template"
    COMPILER = "compiler"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """
    Sent by the server to a template, to have a process with the functions that it has loaded.

    FORKED or FORK_FAILED answers it. The descriptors of the new process come over a second socket, together
    with one byte, before this message: its end of a connection, its standard error and its start counter;
    then its end of a second socket, if it is to be a template too.

    Attributes:
        job: What the process does.
        memory_bytes: Writable memory that it may take beyond what it has at the start; 0 leaves it the limit
            of its template.
        cpu_s: CPU seconds of the whole process; 0 is no limit.
        infers: Whether functions of a worker or template may run models.
        decodes: Whether they may decode pictures.
        has_threads: Whether models of theirs run on several threads.
        files: Paths of the files that it opens for its functions, each with a NUL at its end, as the file
            system encodes them. It can open no others.
    """

    kind: ClassVar[Kind] = Kind.FORK

    job: ForkJob
    memory_bytes: int
    cpu_s: int
    infers: bool = False
    decodes: bool = False
    has_threads: bool = False
    files: bytes = b""


@dataclass(frozen=True, slots=True)
class Forked:
    """
    Sent by a template once the new process runs and is a child of the server.

    Attributes:
        pid: Its process id.
    """

    kind: ClassVar[Kind] = Kind.FORKED

    pid: int


@dataclass(frozen=True, slots=True)
class ForkFailed:
    """
    Sent by a template instead of FORKED where the kernel refuses a process.

    Attributes:
        error: Why, in one line.
    """

    kind: ClassVar[Kind] = Kind.FORK_FAILED

    error: str


@dataclass(frozen=True, slots=True)
class Invoke:
    """
    Sent by the server to an idle worker. RESULT ends the invocation.

    Attributes:
        index: Index of the function, from its LOAD.
        env: Environment, encoded by `encode_env`.
        body: Input. Ignored if the input is streamed.
        streams: Whether input arrives as INPUT and output is sent as OUTPUT, not in `body` and RESULT.
        follows_log: Whether standard error is also sent as LOG.
        operation: Operation or export to call, for a guest interface that has several, in UTF-8; else b"".
        has_arguments: Whether the input is typed arguments, in the form of `encode_arguments`.
    """

    kind: ClassVar[Kind] = Kind.INVOKE

    index: int
    env: bytes
    body: bytes
    streams: bool = False
    follows_log: bool = False
    operation: bytes = b""
    has_arguments: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """
    Sent by a worker if its streaming guest waits for input, and has read everything that arrived.

    Attributes:
        limit: Length of the guest's read, in bytes; 0 if it waits for input without reading it.
        taken: Number of bytes of input that have arrived so far. If the server has sent more, then the rest
            crossed this message, and the guest does not wait.
    """

    kind: ClassVar[Kind] = Kind.READ

    limit: int
    taken: int


@dataclass(frozen=True, slots=True)
class Resume:
    """
    Sent by a worker if its streaming guest stops waiting without input, because its timeout is over.
    """

    kind: ClassVar[Kind] = Kind.RESUME


@dataclass(frozen=True, slots=True)
class Resumed:
    """
    Sent by the server as the answer to RESUME, once the guest has a run slot. INPUT may come before it.
    """

    kind: ClassVar[Kind] = Kind.RESUMED


@dataclass(frozen=True, slots=True)
class Input:
    """
    Sent by the server while a streaming guest runs, with or without a READ.

    Attributes:
        chunk: The next bytes. Empty at the end of the input.
    """

    kind: ClassVar[Kind] = Kind.INPUT

    chunk: bytes


@dataclass(frozen=True, slots=True)
class Output:
    """
    Sent by a worker when its streaming guest has written to standard output.

    Attributes:
        chunk: What it wrote. The receiver gets `bytes`.
    """

    kind: ClassVar[Kind] = Kind.OUTPUT

    chunk: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Log:
    """
    Sent by a worker when its guest has written to standard error, if INVOKE asked for it.

    Attributes:
        chunk: What it wrote. The receiver gets `bytes`.
    """

    kind: ClassVar[Kind] = Kind.LOG

    chunk: bytes | memoryview


@dataclass(frozen=True, slots=True)
class DaprCall:
    """
    Sent by a worker when its guest calls Dapr. The guest waits until DAPR_ANSWER.

    Attributes:
        method: Name of a method of the service ``dapr.proto.runtime.v1.Dapr``.
        is_json: Whether the request is JSON (protobuf's JSON mapping), as the response will be, or protobuf.
        request: The request.
    """

    kind: ClassVar[Kind] = Kind.DAPR_CALL

    method: str
    is_json: bool
    request: bytes


class DaprStatus(str, enum.Enum):
    """
    How a call to Dapr ended.

    The server decides on DENIED, INVALID and LIMIT; Dapr was not called then.
    """

    OK = "ok"
    DENIED = "denied"
    """No grant of the function allows it, or no function may call the method."""
    INVALID = "invalid"
    """The request can't be read, or is too long."""
    LIMIT = "limit"
    """The invocation has made as many calls as ``limits.host_calls`` allows."""
    UNAVAILABLE = "unavailable"
    """Dapr can't be reached, or there is no sidecar."""
    FAILED = "failed"
    """Dapr, or what it called, answered with an error."""


@dataclass(frozen=True, slots=True)
class DaprAnswer:
    """
    Sent by the server as the answer to DAPR_CALL, once the guest has its run slot. INPUT may come before it.

    Attributes:
        status: How the call ended.
        message: What went wrong, in one line that the guest may see; "" if nothing did. With FAILED it
            begins with the name of a gRPC status code and a colon.
        response: The response, in the form of the request; empty unless the status is OK.
    """

    kind: ClassVar[Kind] = Kind.DAPR_ANSWER

    status: DaprStatus
    message: str = ""
    response: bytes = b""


@dataclass(frozen=True, slots=True)
class Result:
    """
    Sent by a worker when an invocation has ended. The worker is then ready for the next one.

    Attributes:
        outcome: How the invocation ended.
        is_tainted: Whether the worker's state is unknown now, so that it ends after this message.
    """

    kind: ClassVar[Kind] = Kind.RESULT

    outcome: Outcome
    is_tainted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Compile:
    """
    Sent by the server to a compile process, once. COMPILED or COMPILE_REFUSED answers it.

    Attributes:
        guest: The guest interface that the module must have.
        memory_bytes: The function's memory limit.
        code_memory_bytes: The memory limit to write into the code; see `limit_in_code`.
        module: The module, as WebAssembly binary.
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
        minimum_bytes: Initial memory of each instance.
        imports: The host modules that the module imports from, each once, in order.
    """

    kind: ClassVar[Kind] = Kind.COMPILED

    code: bytes
    minimum_bytes: int
    imports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CompileRefused:
    """
    Sent by a compile process instead of COMPILED if the module can't be a function.

    Attributes:
        problems: Every problem that was found, one line for each.
        is_unsupported: Whether the module is valid but needs a feature that this engine lacks.
    """

    kind: ClassVar[Kind] = Kind.COMPILE_REFUSED

    problems: tuple[str, ...]
    is_unsupported: bool


@dataclass(frozen=True, slots=True)
class Describe:
    """
    Sent by the server to a compile process, once. DESCRIBED or COMPILE_REFUSED answers it.

    Attributes:
        module: The module, as WebAssembly binary.
    """

    kind: ClassVar[Kind] = Kind.DESCRIBE

    module: bytes


DESCRIBED_NAMES = 20
"""How many names a list of `Described` has. If there are more, one further entry says how many."""
DESCRIBED_NAME_CHARS = 80
"""How much of a name it has, before what can't be printed is escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """
    Sent by a compile process that has read the imports and exports of its module.

    Attributes:
        what: What the module is, such as "WASI command".
        guest: The guest interface that calls it; ``None`` if none does.
        host_modules: The modules that it imports from, sorted.
        calls: The exports that `guest` can call by name, in the module's order.
        problem: Why nothing here runs it, if `guest` is ``None``; else "".
    """

    kind: ClassVar[Kind] = Kind.DESCRIBED

    what: str
    guest: GuestKind | None
    host_modules: tuple[str, ...]
    calls: tuple[str, ...]
    problem: str


@dataclass(frozen=True, slots=True)
class Inspect:
    """
    Sent by the server to a compile process, once. INSPECTED or INSPECT_REFUSED answers it.

    Attributes:
        model: The model to open and run once. If ``None``, only the inference backend is opened.
    """

    kind: ClassVar[Kind] = Kind.INSPECT

    model: Model | None


@dataclass(frozen=True, slots=True)
class FindDecoder:
    """
    Sent by the server to a compile process, once, to open the picture decoder.

    INSPECTED or INSPECT_REFUSED answers it.
    """

    kind: ClassVar[Kind] = Kind.FIND_DECODER


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """
    Sent by a compile process if the inference backend works, and has run the model; or if the decoder works.

    Attributes:
        backend: Name and version of the backend, or of the decoder.
        memory_bytes: Writable memory that the model takes.
    """

    kind: ClassVar[Kind] = Kind.INSPECTED

    backend: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class InspectRefused:
    """
    Sent by a compile process instead of INSPECTED if the model can't be run, or no picture can be decoded.

    Attributes:
        reason: The reason, in one line that continues the model's name.
        is_unavailable: Whether the backend or the decoder is missing or does not load. The model may be valid
            then.
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
    | DaprCall
    | DaprAnswer
    | Result
    | Fork
    | Forked
    | ForkFailed
    | Compile
    | Compiled
    | CompileRefused
    | Describe
    | Described
    | Inspect
    | FindDecoder
    | Inspected
    | InspectRefused
)
