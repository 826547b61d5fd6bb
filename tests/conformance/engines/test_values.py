"""Numbers cross between guest and host unharmed, on every engine."""

from __future__ import annotations

import math

import pytest

from conformance.engines.table import Seen, load
from wasm_grpc.core.model import MIB
from wasm_grpc.engines.protocol import (
    Context,
    Engine,
    FuncType,
    GuestFault,
    GuestTrap,
    HostFunction,
    HostModules,
    Instance,
    Value,
)

U32, U64 = 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF


def _echo(kind: str) -> HostFunction:
    def call(context: Seen, value: Value) -> Value:
        context.calls.append(value)
        return value

    return HostFunction(FuncType((kind,), (kind,)), call)


def _keep(context: Seen, *args: Value) -> None:
    context.calls.append(args)


HOSTS: HostModules = {
    **{("host", kind): _echo(kind) for kind in ("i32", "i64", "f32", "f64")},
    ("host", "all"): HostFunction(FuncType(("i32", "i64", "f32", "f64", "i32")), _keep),
    ("host", "none"): HostFunction(FuncType(()), _keep),
}


def _instantiate(engine: Engine, context: Context) -> Instance:
    return load(engine, "values", HOSTS).instantiate(context, memory_bytes=MIB)


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("i32", 5, 5),
        ("i32", -1, -1),
        ("i32", U32, -1),
        ("i32", 0x8000_0000, -0x8000_0000),
        ("i64", 1 << 40, 1 << 40),
        ("i64", U64, -1),
        ("i64", -(1 << 63), -(1 << 63)),
        ("i64", 1 << 63, -(1 << 63)),
        ("i64", (1 << 63) + 5, 5 - (1 << 63)),
        ("f32", 1.5, 1.5),
        ("f32", 3, 3.0),
        ("f32", -math.inf, -math.inf),
        ("f64", 0.1, 0.1),
        ("f64", math.inf, math.inf),
    ],
)
def test_a_number_crosses_four_borders(engine: Engine, kind: str, given: Value, expected: Value) -> None:
    """An argument reaches the host function, and its result the caller, as that type's signed value."""
    context = Seen()
    instance = _instantiate(engine, context)

    results = tuple(instance.call(kind, given))

    assert (results, context.calls) == ((expected,), [expected])


def test_a_nan_crosses(engine: Engine) -> None:
    """Not-a-number stays not-a-number."""
    (result,) = _instantiate(engine, Seen()).call("f64", math.nan)

    assert math.isnan(result)


def test_arguments_keep_their_order(engine: Engine) -> None:
    """Arguments of different types reach the host function in the guest's order."""
    context = Seen()

    results = tuple(_instantiate(engine, context).call("all", -7, 1 << 33, 0.5, -2.25, 9))

    assert (results, context.calls) == ((), [(-7, 1 << 33, 0.5, -2.25, 9)])


def test_nothing_is_given_and_nothing_comes_back(engine: Engine) -> None:
    """A host function without arguments and results is called with its context alone."""
    context = Seen()

    results = tuple(_instantiate(engine, context).call("none"))

    assert (results, context.calls) == ((), [()])


def test_several_results_come_in_order(engine: Engine) -> None:
    """An export with two results gives both, in its type's order."""
    assert tuple(_instantiate(engine, Seen()).call("two", 3, 0.5)) == (0.5, 3)


@pytest.mark.parametrize("export", ["missing", "reference"])
def test_an_export_that_cannot_be_called_traps(engine: Engine, export: str) -> None:
    """Neither a missing export nor one with a reference reaches the engine."""
    instance = _instantiate(engine, Seen())

    with pytest.raises(GuestTrap) as caught:
        instance.call(export, 0)

    expected = f"function {export!r} is missing; expected an export that takes and returns numbers"
    assert (str(caught.value), caught.value.is_process_tainted) == (expected, False)


@pytest.mark.parametrize(
    ("kind", "result", "expected"),
    [
        ("i32", U32, -1),
        ("i32", -1, -1),
        ("i64", U64, -1),
        ("i64", -1, -1),
        ("i64", 1 << 63, -(1 << 63)),
        ("i64", (1 << 63) + 5, 5 - (1 << 63)),
    ],
)
def test_a_host_result_may_be_unsigned(engine: Engine, kind: str, result: int, expected: int) -> None:
    """A host function may give an integer as an unsigned number or as a signed one."""
    hosts = {
        **HOSTS,
        ("host", kind): HostFunction(FuncType((kind,), (kind,)), lambda _context, _value: result),
    }

    results = tuple(load(engine, "values", hosts).instantiate(Seen(), memory_bytes=MIB).call(kind, 0))

    assert results == (expected,)


def test_a_missing_host_result_is_a_fault(engine: Engine) -> None:
    """A host function that forgets its result ends the guest as our own error."""
    hosts = {
        **HOSTS,
        ("host", "i32"): HostFunction(FuncType(("i32",), ("i32",)), lambda _context, _value: None),
    }

    with pytest.raises(
        GuestFault, match=r"^host function host\.i32 failed with TypeError; this is an error of the server$"
    ):
        load(engine, "values", hosts).instantiate(Seen(), memory_bytes=MIB).call("i32", 0)


def test_too_few_arguments_are_refused(engine: Engine) -> None:
    """A call with a wrong number of arguments is an error of the caller and runs nothing."""
    with pytest.raises(
        TypeError, match=r"^1 arguments for a function of type \(i32, f64\) -> \(f64, i32\); expected 2$"
    ):
        _instantiate(engine, Seen()).call("two", 1)
