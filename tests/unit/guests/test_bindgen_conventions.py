"""Which modules were built with wasmedge-bindgen, and with which version of its macro."""

from __future__ import annotations

import pytest

from wasm_grpc.engines.binary import Export, ExternKind, Import, Module
from wasm_grpc.engines.protocol import FuncType
from wasm_grpc.guests.bindgen.conventions import Convention, find_convention, functions_of
from wasm_grpc.guests.bindgen.guest import Bindgen
from wasm_grpc.guests.command import Command
from wasm_grpc.guests.wapc import Wapc

__all__ = []

I32 = "i32"
CALLED = FuncType((I32, I32))
WITH_RECORD = FuncType((I32, I32), (I32,))


def _function(name: str, kind: FuncType) -> Export:
    return Export(name=name, kind=ExternKind.FUNC, index=0, type=kind)


def _import(module: str, name: str = "return_result", kind: FuncType = CALLED) -> Import:
    return Import(module=module, name=name, kind=ExternKind.FUNC, type=kind)


ALLOCATE = _function("allocate", FuncType((I32,), (I32,)))
DEALLOCATE = _function("deallocate", CALLED)
MEMORY = Export(name="memory", kind=ExternKind.MEMORY, index=0)


def _module(*parts: Export | Import) -> Module:
    return Module(
        imports=tuple(part for part in parts if isinstance(part, Import)),
        exports=(MEMORY, *(part for part in parts if isinstance(part, Export))),
    )


MODULES: dict[str, tuple[Module, Convention | None]] = {
    "env": (_module(ALLOCATE, DEALLOCATE, _import("env"), _function("run_e", CALLED)), Convention.ENV),
    "an error alone": (
        _module(ALLOCATE, DEALLOCATE, _import("env", "return_error"), _function("f", CALLED)),
        Convention.ENV,
    ),
    "imported": (
        _module(ALLOCATE, DEALLOCATE, _import("wasmedge-bindgen"), _function("f", CALLED)),
        Convention.IMPORTED,
    ),
    "record": (_module(ALLOCATE, DEALLOCATE, _function("f", WITH_RECORD)), Convention.RECORD),
    "other imports of env": (
        _module(ALLOCATE, DEALLOCATE, _import("env", "log"), _function("f", WITH_RECORD)),
        Convention.RECORD,
    ),
    "reactr": (
        _module(
            ALLOCATE,
            DEALLOCATE,
            _import("env", "return_result", FuncType((I32, I32, I32))),
            _function("run_e", FuncType((I32, I32, I32))),
        ),
        None,
    ),
    "reactr with a function of our type": (
        _module(
            ALLOCATE,
            DEALLOCATE,
            _import("env", "return_result", FuncType((I32, I32, I32))),
            _function("f", WITH_RECORD),
        ),
        None,
    ),
    "reactr with a function of the older type": (
        _module(
            ALLOCATE,
            DEALLOCATE,
            _import("env", "return_result", FuncType((I32, I32, I32))),
            _import("env", "return_error"),
            _function("f", CALLED),
        ),
        None,
    ),
    "both import modules": (
        _module(ALLOCATE, DEALLOCATE, _import("env"), _import("wasmedge-bindgen"), _function("f", CALLED)),
        None,
    ),
    "imported, without a function": (_module(ALLOCATE, DEALLOCATE, _import("wasmedge-bindgen")), None),
    "imported, with a record": (
        _module(ALLOCATE, DEALLOCATE, _import("wasmedge-bindgen"), _function("f", WITH_RECORD)),
        None,
    ),
    "no function": (_module(ALLOCATE, DEALLOCATE), None),
    "a function of another type": (_module(ALLOCATE, DEALLOCATE, _function("f", FuncType(()))), None),
    "no allocate": (_module(DEALLOCATE, _import("env"), _function("f", CALLED)), None),
    "no deallocate": (_module(ALLOCATE, _function("f", WITH_RECORD)), None),
    "another allocate": (
        _module(_function("allocate", FuncType((I32, I32), (I32,))), DEALLOCATE, _function("f", WITH_RECORD)),
        None,
    ),
    "nothing": (Module(), None),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_convention(name: str) -> None:
    """Exports and imports together show it, and a name of another type is none of ours."""
    module, convention = MODULES[name]

    assert find_convention(module) is convention


def test_its_functions() -> None:
    """They are the exports of their type, without those that manage memory."""
    module = _module(
        ALLOCATE,
        DEALLOCATE,
        _function("f", CALLED),
        _function("g", WITH_RECORD),
        _function("h", FuncType(())),
    )

    assert list(functions_of(module, Convention.IMPORTED)) == ["f"]
    assert list(functions_of(module, Convention.RECORD)) == ["g"]


@pytest.mark.parametrize(
    ("convention", "title"),
    [
        (Convention.ENV, "wasmedge-bindgen 0.1.0 to 0.1.8"),
        (Convention.IMPORTED, "wasmedge-bindgen 0.1.11 to 0.1.14"),
        (Convention.RECORD, "wasmedge-bindgen 0.4"),
    ],
)
def test_its_name(convention: Convention, title: str) -> None:
    """People know the version, not the convention."""
    assert convention.value == title


PROBLEMS: dict[str, tuple[Module, list[str]]] = {
    "right": (MODULES["record"][0], []),
    "no function": (
        MODULES["no function"][0],
        [
            "no export is a function of wasmedge-bindgen; expected one of type (i32, i32) -> () "
            "in a module that imports 'return_result', or of type (i32, i32) -> (i32)"
        ],
    ),
    "no deallocate": (
        MODULES["no deallocate"][0],
        ["export 'deallocate' is missing; expected a function of type (i32, i32) -> ()"],
    ),
    "reactr": (
        MODULES["reactr"][0],
        ["import env.return_result has type (i32, i32, i32) -> (); expected (i32, i32) -> ()"],
    ),
    "initialiser of another type": (
        _module(ALLOCATE, DEALLOCATE, _function("f", WITH_RECORD), _function("_initialize", CALLED)),
        ["export '_initialize' has type (i32, i32) -> (); expected () -> ()"],
    ),
    "a command": (
        _module(_function("_start", FuncType(()))),
        [
            "module is a command: it exports '_start' and no '__guest_call'; "
            "expected guest = 'wasi-command' (for `run`: no --call)"
        ],
    ),
    "a waPC guest": (
        _module(_function("__guest_call", WITH_RECORD)),
        ["module is a waPC guest: it exports '__guest_call'; expected guest = 'wapc' (for `run`: --call)"],
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem(name: str) -> None:
    """Each is named, or the one build that the module is of."""
    module, problems = PROBLEMS[name]

    assert Bindgen().check(module) == problems


@pytest.mark.parametrize("guest", [Command(), Wapc()], ids=["command", "waPC"])
@pytest.mark.parametrize("name", ["env", "imported", "record"])
def test_other_interfaces_name_this_one(guest: Command | Wapc, name: str) -> None:
    """A manifest that forgot `guest` is told what to write."""
    module, convention = MODULES[name]
    assert convention is not None

    assert guest.check(module) == [
        f"module is built with {convention.value}; expected guest = 'wasmedge-bindgen' (for `run`: --call)"
    ]
