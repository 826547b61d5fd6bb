"""What a guest leaves unsent is sent before its answer counts, and only if it has succeeded."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest

from conformance.dapr.fake_dapr import FakeDapr
from unit.hosts.dapr.dapr_guest import GRANTS
from wasm_grpc.core.model import Grants, Limits, Outcome, Reason
from wasm_grpc.core.wire import DaprAnswer, DaprStatus
from wasm_grpc.engines.protocol import Context, FuncType, GuestExit, GuestStop, GuestTrap
from wasm_grpc.guests.command import Command
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.guests.wapc import Wapc
from wasm_grpc.hosts.dapr.module import DaprAsFiles
from wasm_grpc.hosts.wapc.module import Wapc as WapcHost
from wasm_grpc.hosts.wasi import preview1
from wasm_grpc.hosts.wasi.abi import EBADF, OFLAG_CREAT, OFLAG_TRUNC, RIGHT_FD_READ, RIGHT_FD_WRITE, SUCCESS
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr

__all__ = []

DAPR = 3
KEY = ("store", "k")
LIMITS = Limits()
Script = Callable[[WasiContext], None]


class _Instance:
    def __init__(self, context: WasiContext, script: Script) -> None:
        self._context = context
        self._script = script
        memory = bytearray(4096)
        context.memory = lambda: memoryview(memory)

    def start(self) -> None:
        """Do nothing: there is no start function."""

    def call(self, export: str, *args: object) -> tuple[int, ...]:
        """Run the script; a waPC guest succeeds then."""
        self._script(self._context)
        return (1,) if export == "__guest_call" else ()

    def memory_bytes(self) -> int:
        """No memory is taken."""
        return 0

    def close(self) -> None:
        """Do nothing."""


class _Prepared:
    def __init__(self, script: Script) -> None:
        self._script = script

    def function_type(self, name: str) -> FuncType | None:
        """It has no initialiser."""
        return FuncType(("i32", "i32"), ("i32",)) if name == "__guest_call" else None

    def instantiate(self, context: Context, *, memory_bytes: int) -> _Instance:
        """Make an instance that runs the script."""
        assert isinstance(context, WasiContext)
        return _Instance(context, self._script)


def _wasi(context: WasiContext, name: str, *args: int) -> object:
    return preview1.FUNCTIONS[preview1.MODULE, name].call(context, *args)


def _put(context: WasiContext, path: bytes, data: bytes) -> None:
    memory = context.memory()
    memory[64 : 64 + len(path)] = path
    memory[512 : 512 + len(data)] = data
    memory[0:8] = (512).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    rights = RIGHT_FD_WRITE | RIGHT_FD_READ
    oflags = OFLAG_CREAT | OFLAG_TRUNC
    assert _wasi(context, "path_open", DAPR, 0, 64, len(path), oflags, rights, 0, 0, 16) == SUCCESS
    assert _wasi(context, "fd_write", int.from_bytes(memory[16:20], "little"), 0, 1, 16) == SUCCESS


def _call(dapr: FakeDapr | None) -> GuestCall:
    return GuestCall(
        args=b"",
        env=b"",
        stdin=BytesStdin(b""),
        stdout=CollectedStdout(None),
        stderr=Stderr(LIMITS.stderr_bytes),
        limits=LIMITS,
        states={module.state: module().open(Grants(dapr=GRANTS)) for module in (DaprAsFiles, WapcHost)},
        dapr=dapr,
    )


def _run(script: Script, dapr: FakeDapr | None) -> Outcome:
    return Command().ready(_Prepared(script), LIMITS).run(_call(dapr)).outcome


def _ended_by(end: BaseException | None) -> Script:
    def script(context: WasiContext) -> None:
        _put(context, b"state/store/k", b"value")
        _put(context, b"publish/pubsub/news", b"message")
        _put(context, b"invoke/app/upper", b"request")
        if end is not None:
            raise end

    return script


@pytest.mark.parametrize("end", [None, GuestExit(0)])
def test_a_success_sends(end: BaseException | None) -> None:
    """What was never closed is sent, in the order in which it was opened."""
    dapr = FakeDapr()

    outcome = _run(_ended_by(end), dapr)

    assert (outcome.reason, dapr.state[KEY], dapr.published) == (Reason.OK, b"value", [b"message"])
    assert dapr.methods == ["SaveState", "PublishEvent", "InvokeService"]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (GuestExit(1), Reason.EXITED),
        (GuestExit(65), Reason.REJECTED),
        (GuestTrap("unreachable"), Reason.TRAPPED),
        (GuestStop(Reason.OUTPUT_LIMIT, "too much"), Reason.OUTPUT_LIMIT),
    ],
)
def test_a_failure_sends_nothing(end: BaseException, reason: Reason) -> None:
    """What a guest has not sent when it fails is dropped."""
    dapr = FakeDapr()

    assert (_run(_ended_by(end), dapr).reason, dapr.calls) == (reason, [])


@pytest.mark.parametrize(
    ("answer", "reason", "message"),
    [
        (
            DaprAnswer(DaprStatus.UNAVAILABLE, "no sidecar"),
            Reason.UNSENT,
            "state 'store/k' could not be written: UNAVAILABLE: no sidecar",
        ),
        (DaprAnswer(DaprStatus.DENIED, "no grant for it"), Reason.DENIED, "no grant for it"),
    ],
)
def test_a_success_that_can_not_be_sent(answer: DaprAnswer, reason: Reason, message: str) -> None:
    """The invocation has failed, and nothing more is sent."""
    dapr = FakeDapr()
    dapr.answers = [answer]

    outcome = _run(_ended_by(None), dapr)

    assert (outcome.reason, outcome.message, outcome.body) == (reason, message, b"")
    assert (dapr.methods, message.encode() in outcome.stderr) == (["SaveState"], True)


def test_the_limit_on_calls_holds_at_the_end_too() -> None:
    """The calls that send what is left are counted."""

    class Limited(FakeDapr):
        def call(self, method: str, request: bytes, *, is_json: bool) -> DaprAnswer:
            if self.calls:
                raise GuestStop(Reason.HOST_CALL_LIMIT, "too many", limit="limits.host_calls")
            return super().call(method, request, is_json=is_json)

    dapr = Limited()

    outcome = _run(_ended_by(GuestExit(0)), dapr)

    assert (outcome.reason, outcome.limit) == (Reason.HOST_CALL_LIMIT, "limits.host_calls")
    assert dapr.methods == ["SaveState"]


def test_nothing_is_there_without_a_grant() -> None:
    """A function that was granted no call has one directory less."""
    seen = []

    def script(context: WasiContext) -> None:
        seen.append(_wasi(context, "fd_prestat_get", DAPR, 0))

    _run(script, FakeDapr())
    _run(script, None)

    assert seen == [SUCCESS, EBADF]


@pytest.mark.parametrize("answers", [[], [DaprAnswer(DaprStatus.UNAVAILABLE, "no sidecar")]])
def test_an_invocation_leaves_nothing(answers: list[DaprAnswer]) -> None:
    """What it held is freed at once: nothing waits for the collector of cycles."""
    dapr = FakeDapr()
    dapr.answers = answers
    held = weakref.ref(dapr)
    gc.collect()
    gc.disable()
    try:
        _run(_ended_by(None), dapr)
        del dapr
        assert held() is None
    finally:
        gc.enable()


def test_a_warm_instance_sends_what_is_its_invocations() -> None:
    """Each call of a waPC guest sends what it left, if it succeeds; what a failed one left, no other sends."""
    ends: list[BaseException | None] = [None, None, GuestTrap("unreachable")]

    def script(context: WasiContext) -> None:
        _ended_by(ends.pop(0))(context)

    daprs = [FakeDapr() for _ in ends]
    daprs[1].answers = [DaprAnswer(DaprStatus.UNAVAILABLE, "no sidecar")]
    ready = Wapc().ready(_Prepared(script), LIMITS, max_invocations=10)

    outcomes = [(ready.run(_call(dapr)).outcome.reason, ready.is_spent) for dapr in daprs]

    assert outcomes == [(Reason.OK, False), (Reason.UNSENT, False), (Reason.TRAPPED, True)]
    assert [dapr.methods for dapr in daprs] == [
        ["SaveState", "PublishEvent", "InvokeService"],
        ["SaveState"],
        [],
    ]
