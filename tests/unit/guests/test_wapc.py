"""The guest interface wapc, around an instance that is a Python function."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from wasm_grpc.core.model import KIB, Limits, Outcome, Reason
from wasm_grpc.engines.protocol import Context, FuncType, GuestFault, GuestTrap, Value
from wasm_grpc.guests.protocol import Ending, GuestCall
from wasm_grpc.guests.wapc import ReadyWapc, Wapc
from wasm_grpc.hosts.registry import WAPC_FUNCTIONS
from wasm_grpc.hosts.wapc.state import WapcState
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr

__all__ = []

Script = Callable[[WasiContext], int]


class ScriptedPrepared:
    """A `Prepared`, and its one `Instance`, whose ``__guest_call`` is a Python function over 64 KiB of memory."""

    def __init__(self, guest_call: Script) -> None:
        self._guest_call = guest_call
        self.is_closed = False

    def function_type(self, name: str) -> FuncType | None:
        """It has no initialiser."""
        return FuncType(("i32", "i32"), ("i32",)) if name == "__guest_call" else None

    def instantiate(self, context: Context, *, memory_bytes: int) -> ScriptedPrepared:
        """Bind the context."""
        assert isinstance(context, WasiContext)
        self._context = context
        memory = bytearray(64 * KIB)
        memory[:5] = b"error"
        context.memory = lambda: memoryview(memory)
        return self

    def start(self) -> None:
        """There is no start function."""

    def call(self, export: str, *args: Value) -> Sequence[Value]:
        """Run the script."""
        assert export == "__guest_call"
        return (self._guest_call(self._context),)

    def memory_bytes(self) -> int:
        """One page; nothing is left to ask for once it is closed."""
        assert not self.is_closed
        return 64 * KIB

    def close(self) -> None:
        """Note it down."""
        self.is_closed = True


def _ready(guest_call: Script) -> ReadyWapc:
    return Wapc().ready(ScriptedPrepared(guest_call), Limits(), max_invocations=2)


def _call() -> GuestCall:
    return GuestCall(
        args=b"",
        env=b"",
        stdin=BytesStdin(b""),
        stdout=CollectedStdout(None),
        stderr=Stderr(KIB),
        limits=Limits(),
        states={WapcState: WapcState},
    )


def _raise_after_an_error(end: BaseException) -> Script:
    def guest_call(context: WasiContext) -> int:
        WAPC_FUNCTIONS["wapc", "__guest_error"].call(context, 0, 5)
        raise end

    return guest_call


@pytest.mark.parametrize("is_tainted", [False, True])
def test_an_error_hides_no_tainted_process(*, is_tainted: bool) -> None:
    """The caller is told the error, and the worker ends all the same where its engine can't be trusted."""
    trap = GuestTrap("call stack exhausted", is_process_tainted=is_tainted)

    ending = _ready(_raise_after_an_error(trap)).run(_call())

    assert ending == Ending(
        outcome=Outcome(reason=Reason.EXITED, message="guest failed: error", memory_bytes=64 * KIB),
        is_process_tainted=is_tainted,
    )


def test_an_error_hides_no_bug_of_ours() -> None:
    """It is ours to tell that a host function failed."""
    ending = _ready(_raise_after_an_error(GuestFault("host function failed"))).run(_call())

    assert (ending.outcome.reason, ending.outcome.message) == (Reason.INTERNAL, "host function failed")


def test_after_a_bug_of_ours_the_instance_is_closed() -> None:
    """Nothing is known of it, so it is not used again."""
    ready = _ready(_raise_after_an_error(RuntimeError("ours")))

    with pytest.raises(RuntimeError, match="ours"):
        ready.run(_call())

    assert ready.is_spent
