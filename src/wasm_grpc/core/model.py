"""The frozen data that packages exchange: limits, functions, invocations and their outcomes."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

__all__ = [
    "DAPR_MESSAGE_BYTES",
    "DEPTH_LIMIT",
    "KIB",
    "MIB",
    "OUTER",
    "PAGE_BYTES",
    "DaprGrants",
    "EngineName",
    "Grants",
    "GuestKind",
    "Inference",
    "Invocation",
    "Limits",
    "Model",
    "Mount",
    "MountEntry",
    "Origin",
    "Outcome",
    "PoolPolicy",
    "Reason",
    "ResponseKind",
    "ResultKind",
    "ReuseKind",
    "Runtime",
    "TensorTypes",
    "Trace",
    "WorkerFunction",
]

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
PAGE_BYTES = 64 * KIB
"""One page of linear memory (WebAssembly core specification, 4.2.8)."""
DAPR_MESSAGE_BYTES = 4 * MIB
"""Limit on a guest's request to Dapr, and on the response: daprd's own default (``--max-body-size``)."""
_UNLIMITED_RESULT_BYTES = 64 * MIB
"""Limit on a collected result if the output is unlimited, since the whole result is kept in memory."""


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
    How a guest's standard output becomes the response.
    """

    RAW = "raw"
    CGI = "cgi"


class ReuseKind(str, enum.Enum):
    """
    Whether an instance serves one invocation or many.
    """

    FRESH = "fresh"
    WARM = "warm"


class ResultKind(str, enum.Enum):
    """
    What a result is, if the guest interface tells it.

    RESULT frames carry the position of a member in this list, so a new member changes the wire version.
    """

    UNTOLD = "untold"
    BYTES = "bytes"
    TEXT = "text"
    VALUE = "value"
    """The text of a single number, bool or char."""
    JSON = "json"

    @property
    def media_type(self) -> str:
        """
        Media type of such a result; "" if it isn't told.
        """
        return _MEDIA_TYPES[self]


_MEDIA_TYPES = {
    ResultKind.UNTOLD: "",
    ResultKind.BYTES: "application/octet-stream",
    ResultKind.TEXT: "text/plain; charset=utf-8",
    ResultKind.VALUE: "text/plain; charset=utf-8",
    ResultKind.JSON: "application/json",
}


class Reason(str, enum.Enum):
    """
    How an invocation ended. The values are the ``reason`` of ``google.rpc.ErrorInfo``.

    RESULT frames carry the position of a member in this list, so a new member changes the wire version.
    """

    OK = "OK"
    # The request never reached a guest.
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
    HOST_CALL_LIMIT = "HOST_CALL_LIMIT"
    DENIED = "DENIED"
    STATUS = "STATUS"
    BAD_RESPONSE = "BAD_RESPONSE"
    # The guest succeeded, but what it left to be sent could not be sent.
    UNSENT = "UNSENT"
    # The guest succeeded, but its result could not be sent on (`then`).
    THEN_FAILED = "THEN_FAILED"
    THEN_UNAVAILABLE = "THEN_UNAVAILABLE"
    # The worker failed.
    CRASHED = "CRASHED"
    WORKER_MEMORY = "WORKER_MEMORY"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    The limits of one function (``[limits]``).

    ``None`` means unlimited, and is allowed where the manifest allows "unlimited".

    Attributes:
        timeout_s: Wall time from the guest's start, in seconds.
        cpu_s: CPU time of one invocation, in seconds.
        queue_wait_s: Longest wait for a worker, in seconds.
        idle_timeout_s: Longest wait between two chunks of a stream, in seconds.
        memory_bytes: Limit on the guest's linear memories together. A multiple of `PAGE_BYTES`.
        output_bytes: Limit on what the guest writes to standard output.
        body_bytes: Limit on a request body.
        stderr_bytes: How much of the end of the guest's standard error is kept.
        scratch_bytes: Limit on the content of ``/tmp``. If it is 0, there is no ``/tmp``.
        host_calls: Limit on the calls to Dapr in one invocation.
        dapr_timeout_s: Longest wait for the answer to one call to Dapr, in seconds.
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
    dapr_timeout_s: float | None = None

    @property
    def result_bytes(self) -> int:
        """
        Longest result that is collected. Unlimited output is for streams, which pass it on as it is written.
        """
        return _UNLIMITED_RESULT_BYTES if self.output_bytes is None else self.output_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPolicy:
    """
    How many invocations of one function run and wait on this server (``[pool]``).

    Attributes:
        min: Number of prepared instances to keep. If it is 0, none is prepared.
        max: Limit on concurrent invocations. ``None`` means the number of run slots.
        queue: Limit on waiting invocations.
        reuse: Whether an instance serves one invocation or many.
        max_invocations: Number of invocations after which a warm instance is replaced.
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
        python: Path of the worker interpreter. It may appear in logs, but not in an answer to a caller.
    """

    engine: EngineName
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MountEntry:
    """
    A file, link or folder that a guest sees. A file has `host`, a link has `link`, a folder has neither.

    Attributes:
        path: Path below the mount, with "/" between its parts. A folder comes before its entries.
        host: Path of the file on this machine.
        size: Size of the file in bytes.
        sha256: Digest of the file's content, in hex. A worker refuses any other content.
        link: Target of a link, relative to the folder with the link.
        modified_ns: Time of the last change, in nanoseconds since 1970.
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
    A directory that is open when a guest starts.

    Attributes:
        guest: The guest's path of it.
        entries: Everything below it.
        is_writable: Whether each invocation gets its own copy, in memory, which is discarded at the end.
    """

    guest: str
    entries: tuple[MountEntry, ...]
    is_writable: bool = False

    @property
    def size_bytes(self) -> int:
        """
        Total size of its files, in bytes.
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
        name: The guest's name for it.
        host: Path of the file on this machine.
        size: Size of the file in bytes.
        sha256: Digest of the file, in hex. A worker refuses any other content.
        threads: Number of threads of one inference.
        memory_bytes: Memory that it takes in a worker once it is loaded, with the mapped file.
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
    The models that a function may run.

    Attributes:
        models: Models that it may run by name.
        may_load: Whether it may bring its own models.
        tensor_types: Which table of tensor types it uses.
    """

    models: tuple[Model, ...] = ()
    may_load: bool = False
    tensor_types: TensorTypes = TensorTypes.AUTO

    @property
    def is_granted(self) -> bool:
        """
        Whether it may run any model.
        """
        return bool(self.models) or self.may_load


@dataclass(frozen=True, slots=True, kw_only=True)
class DaprGrants:
    """
    The calls to Dapr that a function may make (``capabilities.dapr``).

    Each grant is ``<component>/<name>``. A "*" at its end stands for any text, also none.

    Attributes:
        state: Keys of state stores.
        publish: Topics of pub/sub components.
        invoke: Methods of apps.
        secrets: Secrets of secret stores.
        bindings: Operations of output bindings.
        configuration: Keys of configuration stores.
    """

    state: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    invoke: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    bindings: tuple[str, ...] = ()
    configuration: tuple[str, ...] = ()

    @property
    def is_granted(self) -> bool:
        """
        Whether it may make any call.
        """
        return any((self.state, self.publish, self.invoke, self.secrets, self.bindings, self.configuration))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """
    What a function may use besides its input, as it was when the server read it.

    Attributes:
        mounts: Directories that the guest sees, besides its scratch folder.
        inference: Models that the guest may run.
        dapr: Calls to Dapr that the guest may make.
    """

    mounts: tuple[Mount, ...] = ()
    inference: Inference = field(default_factory=Inference)
    dapr: DaprGrants = field(default_factory=DaprGrants)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFunction:
    """
    Everything that a worker needs to run one function.

    Attributes:
        name: Name of the function.
        guest: How the module is called.
        artifact: Path of the native code in the artifact cache.
        digest: Digest of the artifact, in hex. A worker loads no other; see `read_payload`.
        imports: The host modules that its module imports from.
        args: The guest's arguments, without its name.
        takes_query: Whether the parts of each invocation's query are appended to the arguments.
        env: Environment of every invocation. It overrides the invocation's own.
        limits: Limits of the function.
        grants: What the guest may use besides its input.
        prepared: Whether an instance is kept ready for the next invocation.
        reuse: Whether an instance serves one invocation or many.
        max_invocations: Number of invocations after which a warm instance is replaced.
    """

    name: str
    guest: GuestKind
    artifact: str
    digest: str
    imports: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    takes_query: bool = False
    # Not in tracebacks and logs: it may hold secrets.
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    limits: Limits = field(default_factory=Limits)
    grants: Grants = field(default_factory=Grants)
    prepared: bool = True
    reuse: ReuseKind = ReuseKind.FRESH
    max_invocations: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """
    The trace that an invocation belongs to, in W3C Trace Context's format; "" for none.
    """

    parent: str = ""
    state: str = ""


DEPTH_LIMIT = 8
"""Limit on `Origin.depth`. It ends functions that call themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """
    Where an invocation comes from.

    Attributes:
        depth: How many invocations led to it, each by a guest that called Dapr and waits; 0 for an outer one,
            and at most `DEPTH_LIMIT`.
        trace: The caller's trace.
    """

    depth: int = 0
    trace: Trace = field(default_factory=Trace)


OUTER = Origin()
"""That of an invocation of which nothing else need be known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """
    One call of one function, as it is passed to the pool.

    Attributes:
        id: Opaque and unique on this server. The caller gets it too.
        function: Name of the function.
        body: The guest's standard input.
        env: Environment variables of this invocation. The names are valid, and no value has a NUL.
        operation: Operation or export to call, for a guest interface that has several; else "".
        origin: Where it comes from, for what the guest calls in turn.
    """

    id: str
    function: str
    body: bytes
    env: tuple[tuple[str, str], ...] = ()
    operation: str = ""
    origin: Origin = OUTER


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    How one invocation ended on a worker.

    Attributes:
        reason: ``Reason.OK``, or what went wrong.
        body: The guest's result; empty unless the reason is ``OK``.
        result_kind: What the body is, if the guest interface tells it.
        message: What went wrong, in one sentence; empty if the reason is ``OK``.
        stderr: End of the guest's standard error, unchanged.
        exit_code: The guest's exit code, or 0 if it has none.
        memory_bytes: Size of the guest's linear memory at the end.
        limit: Manifest key of the limit that was reached, or "".
    """

    reason: Reason
    body: bytes = b""
    result_kind: ResultKind = ResultKind.UNTOLD
    message: str = ""
    stderr: bytes = b""
    exit_code: int = 0
    memory_bytes: int = 0
    limit: str = ""
