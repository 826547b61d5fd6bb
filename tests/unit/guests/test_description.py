"""What a module is said to be, from its imports and exports."""

from __future__ import annotations

import pytest

from wasm_grpc.core.model import GuestKind
from wasm_grpc.engines.binary import Export, ExternKind, Import, Module
from wasm_grpc.engines.protocol import FuncType
from wasm_grpc.guests.description import describe

__all__ = []

MEMORY = Export(name="memory", kind=ExternKind.MEMORY, index=0)


def _function(name: str, kind: FuncType = FuncType(())) -> Export:  # noqa: B008 - frozen
    return Export(name=name, kind=ExternKind.FUNC, index=0, type=kind)


def _import(module: str, name: str = "f") -> Import:
    return Import(module=module, name=name, kind=ExternKind.FUNC, type=FuncType(()))


GUEST_CALL = _function("__guest_call", FuncType(("i32", "i32"), ("i32",)))
MODULES: dict[str, tuple[list[Export], str, GuestKind | None, str]] = {
    "command": ([_function("_start"), MEMORY], "WASI command", GuestKind.WASI_COMMAND, ""),
    "waPC": ([GUEST_CALL, MEMORY], "waPC guest", GuestKind.WAPC, ""),
    # TinyGo's guests export both.
    "waPC with _start": ([_function("_start"), GUEST_CALL, MEMORY], "waPC guest", GuestKind.WAPC, ""),
    "wasmedge-bindgen": (
        [
            _function("allocate", FuncType(("i32",), ("i32",))),
            _function("deallocate", FuncType(("i32", "i32"))),
            _function("infer", FuncType(("i32", "i32"), ("i32",))),
            MEMORY,
        ],
        "guest of wasmedge-bindgen 0.4",
        GuestKind.WASMEDGE_BINDGEN,
        "",
    ),
    "rustwasmc": (
        [
            _function("__wbindgen_malloc", FuncType(("i32",), ("i32",))),
            _function("__wbindgen_free", FuncType(("i32", "i32"))),
            _function("infer", FuncType(("i32", "i32", "i32"))),
            MEMORY,
        ],
        "guest of wasm-bindgen by rustwasmc",
        GuestKind.WASMEDGE_BINDGEN,
        "",
    ),
    "reactor": (
        [_function("_initialize"), MEMORY],
        "WASI reactor",
        None,
        "module is a reactor: it exports '_initialize' and no '_start'; expected a command, "
        "a program with main (clang without -mexec-model=reactor, Rust's bin, Go without c-shared)",
    ),
    "none of these": (
        [MEMORY],
        "module of an unknown interface",
        None,
        "export '_start' is missing; expected a function of type () -> ()",
    ),
}


@pytest.mark.parametrize("case", MODULES)
def test_what_a_module_is(case: str) -> None:
    """Its exports tell the guest interface; where there is none, one line says what was expected."""
    exports, what, guest, problem = MODULES[case]

    found = describe(Module(exports=tuple(exports)))

    assert (found.what, found.guest, found.problem) == (what, guest, problem)


def test_the_host_modules() -> None:
    """Each module that it imports from is named once, in order."""
    imports = (_import("wasi_snapshot_preview1"), _import("env"), _import("env", "g"))

    assert describe(Module(imports=imports)).host_modules == ("env", "wasi_snapshot_preview1")


def test_names_are_bounded_and_printable() -> None:
    """A module may import from a million modules, whose names are long or move a terminal's cursor."""
    imports = (_import("\x1b[2J"), _import("a" * 1000), *(_import(f"m{number:06}") for number in range(1000)))

    names = describe(Module(imports=imports)).host_modules

    assert names[:2] == (r"\x1b[2J", "a" * 80)
    assert names[-1] == "982 more"
    assert len(names) == 21


def test_the_functions_of_a_bindgen_guest() -> None:
    """What a trigger's `call` may name is told; what the host itself calls is not."""
    exports = (
        _function("allocate", FuncType(("i32",), ("i32",))),
        _function("deallocate", FuncType(("i32", "i32"))),
        _function("infer", FuncType(("i32", "i32"), ("i32",))),
        _function("other", FuncType(("i32",))),
        MEMORY,
    )

    assert describe(Module(exports=exports)).calls == ("infer",)
