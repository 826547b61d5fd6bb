"""Ten thousand instances cost no more than one, on every engine."""

from __future__ import annotations

import gc
import resource
from pathlib import Path

import pytest

from conformance.engines.table import Seen, host_call, load
from wasm_grpc.core.model import MIB
from wasm_grpc.engines.protocol import Engine, GuestExit, GuestTrap, Prepared, Value

INSTANCES = 10_000
ALLOWED_BYTES = 8 * MIB
"""An instance that leaked its one touched page of 4 KiB would cost 40 MiB."""


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _call(context: Seen, value: Value) -> None:
    context.memory()[0] = 1
    if value:
        raise GuestExit(0)


def _run(prepared: Prepared, count: int, value: int) -> None:
    for _ in range(count):
        instance = prepared.instantiate(Seen(), memory_bytes=MIB)
        try:
            instance.call("call", value)
        except (GuestExit, GuestTrap):
            pass
        finally:
            instance.close()


@pytest.mark.parametrize("value", [pytest.param(0, id="return"), pytest.param(1, id="exit")])
def test_instances_leave_nothing(engine: Engine, value: int) -> None:
    """Memory stays bounded over many instances, those that return and those that exit."""
    prepared = load(engine, "hosts", host_call(_call))
    _run(prepared, 500, value)
    gc.collect()
    before = _resident_bytes()

    _run(prepared, INSTANCES, value)

    gc.collect()
    assert _resident_bytes() - before < ALLOWED_BYTES


def test_instances_leave_no_cycles(engine: Engine) -> None:
    """A closed instance is freed at once: nothing waits for the collector of cycles."""
    if engine.__class__.__name__ == "PublicEngine":
        pytest.skip("the frames of Wasmtime's own classes hold the exception that ended a call")
    prepared = load(engine, "hosts", host_call(_call))
    _run(prepared, 10, 1)
    gc.collect()
    gc.disable()
    try:
        _run(prepared, 200, 1)

        assert gc.collect() == 0
    finally:
        gc.enable()
