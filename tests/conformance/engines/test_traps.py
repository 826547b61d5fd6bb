"""How a guest's own traps end it, with the same words on every engine."""

from __future__ import annotations

import pytest

from conformance.engines.table import assemble, load
from wasm_grpc.core.model import MIB
from wasm_grpc.engines.protocol import Context, Engine, GuestTrap


@pytest.mark.parametrize(
    ("export", "message"),
    [
        ("unreachable", "unreachable in innermost < middle"),
        ("memory", "out of bounds memory access"),
        ("table", "out of bounds table access"),
        ("null", "uninitialized element"),
        ("type", "indirect call type mismatch"),
        ("overflow", "integer overflow"),
        ("zero", "integer divide by zero"),
        ("conversion", "invalid conversion to integer"),
    ],
)
def test_a_trap_names_its_kind_and_place(engine: Engine, export: str, message: str) -> None:
    """The text is the kind and the named functions, innermost first; the process is fine."""
    instance = load(engine, "traps", {}).instantiate(Context(), memory_bytes=MIB)

    with pytest.raises(GuestTrap) as caught:
        instance.call(export)

    assert (str(caught.value), caught.value.is_process_tainted) == (message, False)


def test_a_stack_that_runs_out_is_a_trap(engine: Engine) -> None:
    """Endless recursion ends the guest; on Wasmer the process must go with it."""
    instance = load(engine, "traps", {}).instantiate(Context(), memory_bytes=MIB)

    with pytest.raises(GuestTrap) as caught:
        instance.call("stack")

    assert str(caught.value) == "call stack exhausted in recurse"
    assert caught.value.is_process_tainted == (engine.name == "wasmer")


def test_a_trap_ends_one_instance_only(engine: Engine) -> None:
    """After a trap the same module gives instances that work."""
    prepared = load(engine, "traps", {})
    with pytest.raises(GuestTrap):
        prepared.instantiate(Context(), memory_bytes=MIB).call("unreachable")

    assert tuple(prepared.instantiate(Context(), memory_bytes=MIB).call("fine")) == (7,)


def test_data_outside_memory_traps_at_instantiation(engine: Engine) -> None:
    """A data segment beyond the memory ends the instantiation as a trap."""
    wasm = assemble('(module (memory 1) (data (i32.const 65535) "two"))')
    prepared = engine.load(engine.compile(wasm), {})

    with pytest.raises(GuestTrap, match=r"^out of bounds memory access$"):
        prepared.instantiate(Context(), memory_bytes=MIB)
