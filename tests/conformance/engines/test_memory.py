"""The guest's memory as the host sees it, and the limits that hold it, on every engine."""

from __future__ import annotations

import pytest

from conformance.engines.table import Seen, assemble, guest, load
from wasm_grpc.core.model import MIB, PAGE_BYTES
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.engines.protocol import Context, Engine, FuncType, GuestTrap, HostFunction, HostModules

REFUSED = -1


def _look(context: Seen) -> None:
    memory = context.memory()
    context.calls.append((len(memory), bytes(memory[PAGE_BYTES : PAGE_BYTES + 1])))


HOSTS: HostModules = {("host", "look"): HostFunction(FuncType(()), _look)}


@pytest.fixture
def limiting_engine(engine: Engine) -> Engine:
    """Return an engine that limits each instance; the others have the limit in the code, which other tests see."""
    if not engine.limits_instances:
        pytest.skip("this engine doesn't limit instances: their limit is in the code")
    return engine


def test_the_view_shows_what_the_module_brought(engine: Engine) -> None:
    """The view begins at address 0 and shows the data segments."""
    context = Seen()
    load(engine, "memory", HOSTS).instantiate(context, memory_bytes=MIB)

    assert bytes(context.memory()[16:30]) == b"from the start"


def test_the_view_is_of_bytes(engine: Engine) -> None:
    """Items of the view are writable bytes, all of the memory."""
    context = Seen()
    load(engine, "memory", HOSTS).instantiate(context, memory_bytes=MIB)

    view = context.memory()

    assert (view.format, view.itemsize, view.readonly, len(view)) == ("B", 1, False, PAGE_BYTES)


def test_the_guest_reads_what_the_host_wrote(engine: Engine) -> None:
    """A write through the view is a write to the guest's memory."""
    context = Seen()
    instance = load(engine, "memory", HOSTS).instantiate(context, memory_bytes=MIB)

    context.memory()[100:103] = b"\x01\x02\xff"

    assert tuple(instance.call("load", 102)) == (255,)


def test_the_host_reads_what_the_guest_wrote(engine: Engine) -> None:
    """A store of the guest shows in the next view."""
    context = Seen()
    instance = load(engine, "memory", HOSTS).instantiate(context, memory_bytes=MIB)

    instance.call("store", 7, 99)

    assert context.memory()[7] == 99


def test_a_view_in_a_host_call_is_current(engine: Engine) -> None:
    """A host function called after ``memory.grow`` sees the grown memory and what is in it."""
    context = Seen()
    instance = load(engine, "memory", HOSTS).instantiate(context, memory_bytes=MIB)
    instance.call("look")

    instance.call("grow_and_look", 2)

    assert context.calls == [(PAGE_BYTES, b""), (3 * PAGE_BYTES, b"*")]
    assert instance.memory_bytes() == 3 * PAGE_BYTES


def test_memory_grows_to_its_limit_and_not_beyond(engine: Engine) -> None:
    """Growing to the limit succeeds; one page more is refused with -1, and nothing else happens."""
    instance = load(engine, "memory", HOSTS, memory_bytes=MIB).instantiate(Seen(), memory_bytes=MIB)

    answers = [instance.call("grow", pages)[0] for pages in (15, 1, 0)]

    assert (answers, instance.memory_bytes()) == ([1, REFUSED, 16], MIB)


def test_instances_of_one_module_have_limits_of_their_own(limiting_engine: Engine) -> None:
    """Where the engine limits instances, each memory grows to its own limit, whatever the code allows."""
    prepared = load(limiting_engine, "memory", HOSTS, memory_bytes=64 * MIB)
    instances = [prepared.instantiate(Seen(), memory_bytes=size * MIB) for size in (1, 2)]

    answers = [[instance.call("grow", pages)[0] for pages in (15, 1)] for instance in instances]

    assert answers == [[1, REFUSED], [1, 16]]


def test_an_instance_that_begins_above_its_limit_is_a_trap(limiting_engine: Engine) -> None:
    """It is not made: functions are checked beforehand, so this is the last line."""
    prepared = load(limiting_engine, "memory", HOSTS)

    with pytest.raises(GuestTrap):
        prepared.instantiate(Seen(), memory_bytes=0)


def test_a_table_grows_to_its_limit_and_not_beyond(engine: Engine) -> None:
    """Growing a table to its limit succeeds; one element more is refused with -1."""
    wasm = write_limits(guest("memory"), memory_bytes=MIB, table_elements=10)
    instance = engine.load(engine.compile(wasm), HOSTS).instantiate(Seen(), memory_bytes=MIB)

    answers = [instance.call("grow_table", elements)[0] for elements in (8, 1)]

    assert answers == [2, REFUSED]


def test_without_an_exported_memory_the_view_is_empty(engine: Engine) -> None:
    """A module that exports no ``memory`` shows an empty view and counts no bytes."""
    context = Context()
    wasm = assemble('(module (memory 1) (global (export "memory") i32 (i32.const 0)))')

    instance = engine.load(engine.compile(wasm), {}).instantiate(context, memory_bytes=MIB)

    assert (len(context.memory()), instance.memory_bytes()) == (0, 0)


def test_a_closed_instance_shows_no_memory(engine: Engine) -> None:
    """Closing twice is allowed, and the context no longer reaches the memory."""
    context = Seen()
    instance = load(engine, "memory", HOSTS).instantiate(context, memory_bytes=MIB)

    instance.close()
    instance.close()

    assert (len(context.memory()), instance.memory_bytes()) == (0, 0)


def test_every_instance_begins_with_clean_memory(engine: Engine) -> None:
    """What one instance wrote, in its data segment's place and elsewhere, is gone in the next."""
    prepared = load(engine, "memory", HOSTS)
    first = Seen()
    instance = prepared.instantiate(first, memory_bytes=MIB)
    first.memory()[:] = b"\xee" * PAGE_BYTES
    instance.close()

    second = Seen()
    prepared.instantiate(second, memory_bytes=MIB)

    assert bytes(second.memory()) == b"from the start".rjust(30, b"\0").ljust(PAGE_BYTES, b"\0")


def test_grown_memory_is_clean_too(engine: Engine) -> None:
    """What one instance wrote to memory that it grew into is gone when the next one grows."""
    size = 8 * MIB
    prepared = load(engine, "memory", HOSTS, memory_bytes=size)
    first = Seen()
    instance = prepared.instantiate(first, memory_bytes=size)
    instance.call("grow", size // PAGE_BYTES - 1)
    first.memory()[:] = b"\xee" * size
    instance.close()

    second = Seen()
    prepared.instantiate(second, memory_bytes=size).call("grow", size // PAGE_BYTES - 1)

    assert bytes(second.memory()) == b"from the start".rjust(30, b"\0").ljust(size, b"\0")
