"""The guest interface wasi-command, around an instance that is a Python function."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence

import pytest

from wasm_grpc.core.model import KIB, Limits, Outcome, Reason
from wasm_grpc.engines.protocol import Context, FuncType, GuestExit, GuestTrap, Value
from wasm_grpc.guests.command import Command
from wasm_grpc.guests.protocol import Ending, GuestCall
from wasm_grpc.hosts.wasi import preview1
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr

__all__ = []

Script = Callable[[WasiContext], None]


class ScriptedInstance:
    """An `Instance` whose ``_start`` is a Python function over 64 KiB of memory."""

    def __init__(self, context: WasiContext, start: Script, module_start: Script) -> None:
        self._context = context
        self._start = start
        self._module_start = module_start
        self.calls: list[str] = []
        self.is_closed = False
        memory = bytearray(64 * KIB)
        context.memory = lambda: memoryview(memory)

    def start(self) -> None:
        """Run the module's start function."""
        self._module_start(self._context)

    def call(self, export: str, *args: Value) -> Sequence[Value]:
        """Run the script."""
        self.calls.append(export)
        self._start(self._context)
        return ()

    def memory_bytes(self) -> int:
        """One page; nothing is left to ask for once it is closed."""
        assert not self.is_closed
        return 64 * KIB

    def close(self) -> None:
        """Note it down."""
        self.is_closed = True


class ScriptedPrepared:
    """A `Prepared` that gives scripted instances and keeps them."""

    def __init__(self, start: Script, *, module_start: Script = lambda _: None) -> None:
        self._start = start
        self._module_start = module_start
        self.instances: list[ScriptedInstance] = []

    def function_type(self, name: str) -> FuncType | None:
        """It has the one export."""
        return FuncType(()) if name == "_start" else None

    def instantiate(self, context: Context, *, memory_bytes: int) -> ScriptedInstance:
        """Make the next one."""
        assert isinstance(context, WasiContext)
        instance = ScriptedInstance(context, self._start, self._module_start)
        self.instances.append(instance)
        return instance


def _wasi(context: WasiContext, name: str, *args: int) -> object:
    return preview1.FUNCTIONS[preview1.MODULE, name].call(context, *args)


def _echo(context: WasiContext) -> None:
    memory = context.memory()
    memory[0:8] = (64).to_bytes(4, "little") + (1024).to_bytes(4, "little")
    _wasi(context, "fd_read", 0, 0, 1, 4)
    _wasi(context, "fd_write", 1, 0, 1, 8)


def _exit(code: int) -> Script:
    def script(context: WasiContext) -> None:
        _wasi(context, "proc_exit", code)

    return script


def _call(body: bytes = b"", limits: Limits | None = None) -> GuestCall:
    limits = limits or Limits()
    return GuestCall(
        args=b"echo\0",
        env=b"A=b\0",
        stdin=BytesStdin(body),
        stdout=CollectedStdout(limits.output_bytes),
        stderr=Stderr(limits.stderr_bytes),
        limits=limits,
    )


def test_body_in_result_out() -> None:
    """``_start`` is called once, reads the body, and what it wrote is the outcome's body."""
    prepared = ScriptedPrepared(_echo)

    ending = Command().ready(prepared, Limits()).run(_call(b"body"))

    assert ending == Ending(outcome=Outcome(reason=Reason.OK, body=b"body", memory_bytes=64 * KIB))
    assert [instance.calls for instance in prepared.instances] == [["_start"]]


def test_arguments_and_environment_are_the_calls() -> None:
    """The guest sees the arguments and the environment of its own call."""
    seen = []

    def note(context: WasiContext) -> None:
        seen.append((context.args, context.env))

    Command().ready(ScriptedPrepared(note), Limits()).run(_call())

    assert seen == [(b"echo\0", b"A=b\0")]


@pytest.mark.parametrize(
    ("code", "reason"),
    [(0, Reason.OK), (65, Reason.REJECTED), (1, Reason.EXITED), (4_294_967_295, Reason.EXITED)],
)
def test_exit_codes(code: int, reason: Reason) -> None:
    """The exit code decides, and is told."""
    outcome = Command().ready(ScriptedPrepared(_exit(code)), Limits()).run(_call()).outcome

    assert (outcome.reason, outcome.exit_code) == (reason, code)


def test_output_over_its_limit() -> None:
    """A guest that writes too much is stopped in that write."""
    outcome = (
        Command()
        .ready(ScriptedPrepared(_echo), Limits())
        .run(_call(b"12345", Limits(output_bytes=4)))
        .outcome
    )

    assert (outcome.reason, outcome.limit, outcome.body) == (Reason.OUTPUT_LIMIT, "limits.output", b"")


def test_error_of_ours_is_raised() -> None:
    """What is no guest's end goes through to the worker."""

    def fail(context: WasiContext) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        Command().ready(ScriptedPrepared(fail), Limits()).run(_call())


@pytest.mark.parametrize("has_run", [True, False])
def test_close_frees_the_instance(*, has_run: bool) -> None:
    """An instance lives until it is closed, which may happen twice, after a run or without one."""
    prepared = ScriptedPrepared(_echo)
    ready = Command().ready(prepared, Limits())
    if has_run:
        ready.run(_call())
    (instance,) = prepared.instances
    was_closed = instance.is_closed

    ready.close()
    ready.close()

    assert (was_closed, instance.is_closed) == (False, True)


STARTS = {
    "trap": (GuestTrap("unreachable"), Reason.TRAPPED),
    "exit-0": (GuestExit(0), Reason.OK),
    "exit-3": (GuestExit(3), Reason.EXITED),
}


@pytest.mark.parametrize("case", STARTS)
def test_start_function_that_ends_the_guest(case: str) -> None:
    """A start function that ends the guest ends its invocation, not the preparation."""
    end, reason = STARTS[case]

    def raise_end(context: WasiContext) -> None:
        raise end

    ready = Command().ready(ScriptedPrepared(_echo, module_start=raise_end), Limits())

    assert ready.run(_call(b"body")).outcome.reason is reason


def test_start_function_belongs_to_the_invocation() -> None:
    """A start function reads the body and writes to the result, ahead of ``_start``."""

    def start(context: WasiContext) -> None:
        context.memory()[64:65] = b"<"
        context.memory()[0:8] = (64).to_bytes(4, "little") + (1).to_bytes(4, "little")
        _wasi(context, "fd_write", 1, 0, 1, 8)

    ending = Command().ready(ScriptedPrepared(_echo, module_start=start), Limits()).run(_call(b"body"))

    assert ending.outcome.body == b"<body"


def test_start_function_waits_for_the_invocation() -> None:
    """Making an instance ready runs nothing of the guest: no timer runs then."""

    def fail(context: WasiContext) -> None:
        raise AssertionError

    Command().ready(ScriptedPrepared(_echo, module_start=fail), Limits()).close()


def test_module_that_can_not_be_instantiated() -> None:
    """A data segment that does not fit ends the invocation, not the preparation."""

    class Misfit(ScriptedPrepared):
        def instantiate(self, context: Context, *, memory_bytes: int) -> ScriptedInstance:
            raise GuestTrap("out of bounds memory access")

    ready = Command().ready(Misfit(_echo), Limits())

    assert ready.run(_call(b"body")).outcome.reason is Reason.TRAPPED


@pytest.mark.parametrize("code", [0, 1])
def test_an_exit_leaves_no_cycle(code: int) -> None:
    """What ended the guest refers to no frame: nothing waits for the collector of cycles."""
    prepared = ScriptedPrepared(_exit(code))
    gc.collect()
    gc.disable()
    try:
        Command().ready(prepared, Limits()).run(_call())

        assert gc.collect() == 0
    finally:
        gc.enable()
