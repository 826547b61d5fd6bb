"""What happens in and around a host function, on every engine."""

from __future__ import annotations

import pytest

from conformance.engines.table import Seen, guest, host_call, load
from wasm_grpc.core.model import MIB, Reason
from wasm_grpc.engines.protocol import (
    Context,
    Engine,
    GuestExit,
    GuestFault,
    GuestStop,
    GuestTrap,
    Instance,
    Value,
)


def _keep(context: Seen, value: Value) -> None:
    context.calls.append(value)


def test_exit_ends_the_guest_with_its_code(engine: Engine) -> None:
    """A host function's `GuestExit` comes out of the call as it is, and the guest ran no further."""
    leave = GuestExit(42)

    def call(_context: Context, _value: Value) -> None:
        raise leave

    instance = load(engine, "hosts", host_call(call)).instantiate(Context(), memory_bytes=MIB)
    with pytest.raises(GuestExit) as caught:
        instance.call("call", 0)

    assert caught.value is leave
    assert tuple(instance.call("calls")) == (0,)


def test_stop_ends_the_guest_with_its_reason(engine: Engine) -> None:
    """A host function's `GuestStop` comes out of the call as it is."""
    stop = GuestStop(Reason.OUTPUT_LIMIT, "too much", limit="limits.output")

    def call(_context: Context, _value: Value) -> None:
        raise stop

    with pytest.raises(GuestStop) as caught:
        load(engine, "hosts", host_call(call)).instantiate(Context(), memory_bytes=MIB).call("call", 0)

    assert caught.value is stop


def test_an_error_of_ours_is_a_fault(engine: Engine) -> None:
    """Any other exception of a host function is a `GuestFault` caused by it, and taints nothing."""
    error = KeyError("our own")

    def call(_context: Context, _value: Value) -> None:
        raise error

    with pytest.raises(GuestFault) as caught:
        load(engine, "hosts", host_call(call)).instantiate(Context(), memory_bytes=MIB).call("call", 0)

    fault = caught.value
    assert fault.__cause__ is error
    assert str(fault) == "host function host.call failed with KeyError; this is an error of the server"
    assert not fault.is_process_tainted


def test_an_interrupt_passes_through(engine: Engine) -> None:
    """What is neither ours nor an `Exception` comes out as it is."""

    def call(_context: Context, _value: Value) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(engine, "hosts", host_call(call)).instantiate(Context(), memory_bytes=MIB).call("call", 0)


def test_an_instance_can_be_called_after_an_exit(engine: Engine) -> None:
    """An ended call leaves nothing behind that ends the next one."""

    def call(context: Seen, value: Value) -> None:
        context.calls.append(value)
        if value < 0:
            raise GuestExit(1)

    context = Seen()
    instance = load(engine, "hosts", host_call(call)).instantiate(context, memory_bytes=MIB)
    with pytest.raises(GuestExit):
        instance.call("call", -1)

    instance.call("call", 2)

    assert context.calls == [-1, 2]


def test_a_trap_after_an_exit_is_a_trap(engine: Engine) -> None:
    """How one call ended is not told of the next one."""

    def call(_context: Context, _value: Value) -> None:
        raise GuestExit(1)

    instance = load(engine, "hosts", host_call(call)).instantiate(Context(), memory_bytes=MIB)
    with pytest.raises(GuestExit):
        instance.call("call", 0)

    with pytest.raises(GuestTrap, match=r"^unreachable$"):
        instance.call("trap")


def test_an_import_may_come_twice(engine: Engine) -> None:
    """A module that imports one function twice, as Go's do, calls it both ways."""
    context = Seen()
    instance = load(engine, "hosts", host_call(_keep)).instantiate(context, memory_bytes=MIB)

    instance.call("call", 1)
    instance.call("again", 2)

    assert context.calls == [1, 2]


def test_instances_of_one_module_have_their_own_contexts(engine: Engine) -> None:
    """Of several live instances each reaches its own context and its own memory."""

    def call(context: Seen, value: Value) -> None:
        context.memory()[0] = int(value)
        context.calls.append(value)

    prepared = load(engine, "hosts", host_call(call))
    contexts = [Seen() for _ in range(3)]
    instances = [prepared.instantiate(context, memory_bytes=MIB) for context in contexts]

    for turn in range(2):
        for number, instance in enumerate(instances):
            instance.call("call", 10 * number + turn)

    assert [context.calls for context in contexts] == [[0, 1], [10, 11], [20, 21]]
    assert [context.memory()[0] for context in contexts] == [1, 11, 21]


def test_a_host_function_may_run_another_guest(engine: Engine) -> None:
    """A guest that runs within a host call of another one leaves that one's context in place."""
    inner_context, outer_context = Seen(), Seen()
    inner: list[Instance] = []

    def call(context: Seen, value: Value) -> None:
        if context is outer_context:
            inner[0].call("call", value + 1)
        context.calls.append(value)

    prepared = load(engine, "hosts", host_call(call))
    inner.append(prepared.instantiate(inner_context, memory_bytes=MIB))

    prepared.instantiate(outer_context, memory_bytes=MIB).call("twice", 1)

    assert (inner_context.calls, outer_context.calls) == ([2, 2], [1, 1])


def test_an_exit_of_an_inner_guest_may_be_caught(engine: Engine) -> None:
    """A host function that catches the end of a guest it called goes on, and so does its own guest."""
    inner: list[Instance] = []

    def call(context: Seen, value: Value) -> None:
        if value == 1:
            raise GuestExit(9)
        with pytest.raises(GuestExit):
            inner[0].call("call", 1)
        context.calls.append(value)

    context = Seen()
    prepared = load(engine, "hosts", host_call(call))
    inner.append(prepared.instantiate(Seen(), memory_bytes=MIB))
    outer = prepared.instantiate(context, memory_bytes=MIB)

    outer.call("call", 5)

    assert (context.calls, tuple(outer.call("calls"))) == ([5], (1,))


def test_the_start_function_runs_with_context_and_memory(engine: Engine) -> None:
    """A host function called from the start section has its context, and the memory with its data."""

    def call(context: Seen, value: Value) -> None:
        context.calls.append(bytes(context.memory()[: int(value)]))

    context = Seen()

    load(engine, "start", host_call(call)).instantiate(context, memory_bytes=MIB).start()

    assert context.calls == [b"ready"]


def test_instantiation_runs_no_code_of_the_guest(engine: Engine) -> None:
    """The start function waits for `start`: an instance that is made before its call can't hang."""

    def call(_context: Context, _value: Value) -> None:
        raise GuestExit(3)

    load(engine, "start", host_call(call)).instantiate(Context(), memory_bytes=MIB)


def test_the_start_function_may_exit(engine: Engine) -> None:
    """An exit in the start function comes out of `start`."""

    def call(_context: Context, _value: Value) -> None:
        raise GuestExit(3)

    instance = load(engine, "start", host_call(call)).instantiate(Context(), memory_bytes=MIB)

    with pytest.raises(GuestExit) as caught:
        instance.start()

    assert caught.value.code == 3


def test_the_start_function_runs_once_in_each_instance(engine: Engine) -> None:
    """A module without exports of its own but for one still runs its start function."""
    prepared = load(engine, "silent_start", {})
    started = []

    for _ in range(2):
        instance = prepared.instantiate(Context(), memory_bytes=MIB)
        instance.start()
        started.append(tuple(instance.call("started")))

    assert started == [(1,), (1,)]


def test_a_prepared_runs_any_number_of_instances(engine: Engine) -> None:
    """The imports are bound once and serve instances one after another."""
    prepared = engine.load(engine.compile(guest("hosts")), host_call(_keep))
    found = []

    for number in range(20):
        context = Seen()
        instance = prepared.instantiate(context, memory_bytes=MIB)
        instance.call("call", number)
        instance.close()
        found.append(context.calls)

    assert found == [[number] for number in range(20)]
