"""The frozen data that passes between rooms: limits, functions, invocations and their outcomes."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

__all__ = [
    "KIB",
    "MIB",
    "PAGE_BYTES",
    "EngineName",
    "GuestKind",
    "Inference",
    "Invocation",
    "Limits",
    "Model",
    "Mount",
    "MountEntry",
    "Outcome",
    "PoolPolicy",
    "Reason",
    "ResponseKind",
    "ReuseKind",
    "Runtime",
    "TensorTypes",
    "WorkerFunction",
]

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
PAGE_BYTES = 64 * KIB
"""One page of linear memory (WebAssembly core specification, 4.2.8)."""
_UNLIMITED_RESULT_BYTES = 64 * MIB


class EngineName(str, enum.Enum):
    """
    The engines that can run a function.
    """

    WASMER = "wasmer"
    WASMTIME = "wasmtime"
    FAKE = "fake"


class GuestKind(str, enum.Enum):
    """
    How a module is called (``guest`` in the manifest).
    """

    WASI_COMMAND = "wasi-command"
    WAPC = "wapc"
    WASMEDGE_BINDGEN = "wasmedge-bindgen"


class ResponseKind(str, enum.Enum):
    """
    How a guest's standard output becomes the reply.
    """

    RAW = "raw"
    CGI = "cgi"


class ReuseKind(str, enum.Enum):
    """
    Whether an instance serves one invocation or many.
    """

    FRESH = "fresh"
    WARM = "warm"


class Reason(str, enum.Enum):
    """
    How an invocation ended; the values are the ``reason`` of ``google.rpc.ErrorInfo``.
    """

    OK = "OK"
    # The caller's request never reached a guest.
    UNKNOWN_METHOD = "UNKNOWN_METHOD"
    VERB_NOT_ALLOWED = "VERB_NOT_ALLOWED"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    INVALID_REQUEST = "INVALID_REQUEST"
    QUEUE_FULL = "QUEUE_FULL"
    QUEUE_WAIT = "QUEUE_WAIT"
    DRAINING = "DRAINING"
    CANCELLED = "CANCELLED"
    UNAVAILABLE = "UNAVAILABLE"
    EVENT_EMPTIED = "EVENT_EMPTIED"
    EVENT_INVALID = "EVENT_INVALID"
    # The guest ran.
    REJECTED = "REJECTED"
    EXITED = "EXITED"
    TRAPPED = "TRAPPED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    OUTPUT_LIMIT = "OUTPUT_LIMIT"
    TIMEOUT = "TIMEOUT"
    CPU_LIMIT = "CPU_LIMIT"
    DENIED = "DENIED"
    STATUS = "STATUS"
    BAD_RESPONSE = "BAD_RESPONSE"
    # It ran well, and its result did not get where it belongs.
    THEN_FAILED = "THEN_FAILED"
    THEN_UNAVAILABLE = "THEN_UNAVAILABLE"
    # Its worker failed it.
    CRASHED = "CRASHED"
    WORKER_MEMORY = "WORKER_MEMORY"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    The hard limits of one function (``[limits]``).

    ``None`` means unlimited and is allowed where the manifest allows "unlimited".

    Attributes:
        timeout_s: Wall time from the guest's start, in seconds.
        cpu_s: CPU time of one invocation, in seconds.
        queue_wait_s: The longest wait for a worker, in seconds.
        idle_timeout_s: The longest wait between two chunks of a stream, in seconds.
        memory_bytes: The most that the guest's linear memories may hold together; whole pages.
        output_bytes: The most that the guest may write to standard output.
        body_bytes: The largest request body.
        stderr_bytes: How much of the guest's standard error is kept (its tail).
        scratch_bytes: The most that ``/tmp`` may hold; 0 is no ``/tmp``.
        host_calls: The most calls to Dapr in one invocation.
    """

    timeout_s: float | None = 5.0
    cpu_s: float | None = None
    queue_wait_s: float = 5.0
    idle_timeout_s: float = 30.0
    memory_bytes: int = 64 * MIB
    output_bytes: int | None = 16 * MIB
    body_bytes: int = 4 * MIB
    stderr_bytes: int = 64 * KIB
    scratch_bytes: int = 16 * MIB
    host_calls: int = 1000

    @property
    def result_bytes(self) -> int:
        """
        The longest result that is gathered: "unlimited" is for streams, whose output is sent on as it comes.
        """
        return _UNLIMITED_RESULT_BYTES if self.output_bytes is None else self.output_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPolicy:
    """
    How many invocations of one function run and wait on this server (``[pool]``).

    Attributes:
        min: Prepared instances kept; 0 prepares nothing ahead.
        max: Concurrent invocations; ``None`` takes the number of run slots.
        queue: Invocations that may wait.
        reuse: Whether an instance serves one invocation or many.
        max_invocations: After so many a warm instance retires.
    """

    min: int = 1
    max: int | None = None
    queue: int = 64
    reuse: ReuseKind = ReuseKind.FRESH
    max_invocations: int = 1000


@dataclass(frozen=True, slots=True)
class Runtime:
    """
    One way to run guests: an engine under an interpreter.

    Attributes:
        engine: The engine.
        python: The worker interpreter's path. For logs of this server only, never for a caller.
    """

    engine: EngineName
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MountEntry:
    """
    A file, link or folder that a guest sees: a file has `host`, a link `link`, a folder neither.

    Attributes:
        path: Below the mount, parts joined by "/"; what holds it stands before it.
        host: Path of the file's contents on this machine.
        size: Bytes of the file.
        sha256: Digest of the file's contents, in hex; a worker takes no other.
        link: Where a link leads, relative to the folder that holds it.
        modified_ns: Time of its last change, in nanoseconds since 1970.
    """

    path: str
    host: str = ""
    size: int = 0
    sha256: str = ""
    link: str = ""
    modified_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """
    A directory that is open from a guest's start.

    Attributes:
        guest: Where the guest finds it.
        entries: All that is below it.
        is_writable: Each invocation gets a copy of its own, in memory, thrown away at its end.
    """

    guest: str
    entries: tuple[MountEntry, ...]
    is_writable: bool = False

    @property
    def size_bytes(self) -> int:
        """
        Bytes of all its files.
        """
        return sum(entry.size for entry in self.entries)


class TensorTypes(str, enum.Enum):
    """
    Which of wasi-nn's two tables of tensor types a guest was built with.
    """

    AUTO = "auto"
    OLD = "old"
    NEW = "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """
    A model that a guest may run by its name.

    Attributes:
        name: What the guest calls it.
        host: Path of the file on this machine.
        size: Bytes of the file.
        sha256: Digest of the file, in hex; a worker takes no other.
        threads: Threads of one inference.
        memory_bytes: What it takes of a worker once it is loaded, the mapped file included.
    """

    name: str
    host: str
    size: int
    sha256: str
    threads: int = 1
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """
    What a function may ask of inference.

    Attributes:
        models: What it may run by name.
        may_load: It may bring models of its own.
        tensor_types: How the types of its tensors are read.
    """

    models: tuple[Model, ...] = ()
    may_load: bool = False
    tensor_types: TensorTypes = TensorTypes.AUTO

    @property
    def is_granted(self) -> bool:
        """
        Whether it may run any model at all.
        """
        return bool(self.models) or self.may_load


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFunction:
    """
    What a worker must know to run one function.

    Attributes:
        name: The function's name.
        guest: How the module is called.
        artifact: Path of the native code in the artifact cache.
        digest: SHA-256 of the artifact's bytes, in hex; a worker loads nothing else.
        args: The guest's arguments, without its name.
        takes_query: Its arguments are the parts of each invocation's query instead.
        env: Environment of every invocation; it wins over an invocation's own.
        limits: The function's limits.
        mounts: Directories that the guest may see, beside its scratch folder.
        inference: Models that the guest may run.
        prepared: Keep an instance ready ahead of the next invocation.
    """

    name: str
    guest: GuestKind
    artifact: str
    digest: str
    args: tuple[str, ...] = ()
    takes_query: bool = False
    env: tuple[tuple[str, str], ...] = ()
    limits: Limits = field(default_factory=Limits)
    mounts: tuple[Mount, ...] = ()
    inference: Inference = field(default_factory=Inference)
    prepared: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """
    One call of one function, as handed to the pool.

    Attributes:
        id: Opaque, unique on this server; the caller gets it too.
        function: The function's name.
        body: What the guest reads on standard input.
        env: Environment variables of this invocation, names valid and values without NUL.
    """

    id: str
    function: str
    body: bytes
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    How one invocation ended on a worker.

    Attributes:
        reason: ``Reason.OK`` or what went wrong.
        body: What the guest wrote to standard output; empty unless ``OK``.
        message: What went wrong, one sentence; empty if ``OK``.
        stderr: Tail of the guest's standard error, as it wrote it.
        exit_code: The guest's exit code; 0 where it has none.
        memory_bytes: The linear memory that the guest ended with.
        limit: Manifest key of the limit that was met, or "".
    """

    reason: Reason
    body: bytes = b""
    message: str = ""
    stderr: bytes = b""
    exit_code: int = 0
    memory_bytes: int = 0
    limit: str = ""
