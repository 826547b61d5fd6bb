"""What is said of a module that can't be run as a wasi-command."""

from __future__ import annotations

import pytest

from wasm_grpc.engines.binary import Export, ExternKind, Import, MemoryType, Module
from wasm_grpc.engines.protocol import FuncType
from wasm_grpc.guests.command import Command
from wasm_grpc.guests.wapc import Wapc
from wasm_grpc.hosts.registry import HOST_MODULES
from wasm_grpc.hosts.wasi import preview1

__all__ = []

I32 = "i32"
WRITE = Import(
    module="wasi_snapshot_preview1",
    name="fd_write",
    kind=ExternKind.FUNC,
    type=FuncType((I32, I32, I32, I32), (I32,)),
)
START = Export(name="_start", kind=ExternKind.FUNC, index=0, type=FuncType(()))
MEMORY = Export(name="memory", kind=ExternKind.MEMORY, index=0)

# Those of `wasi_unstable` are not suggested.
HOSTS = {name for each in HOST_MODULES for name, _ in each.functions} | {preview1.MODULE}
EXPECTED = "expected functions of " + ", ".join(f"'{name}'" for name in sorted(HOSTS))


def _import(module: str, name: str, function: FuncType | None = FuncType(())) -> Import:  # noqa: B008 - frozen
    return Import(module=module, name=name, kind=ExternKind.FUNC, type=function)


IMPORTS: dict[str, tuple[list[Import], list[str]]] = {
    "none": ([], []),
    "known": ([WRITE], []),
    "known-twice": ([WRITE, WRITE], []),
    "type-that-can-not-be-read": ([_import("wasi_snapshot_preview1", "fd_write", None)], []),
    "wrong-type": (
        [_import("wasi_snapshot_preview1", "fd_write", FuncType((I32,)))],
        [
            (
                "import wasi_snapshot_preview1.fd_write has type (i32) -> (); "
                "expected (i32, i32, i32, i32) -> (i32)"
            )
        ],
    ),
    "mistyped-name": (
        [_import("wasi_snapshot_preview1", "fd_wirte")],
        [
            (
                "import wasi_snapshot_preview1.fd_wirte is an unknown function; "
                "did you mean 'wasi_snapshot_preview1.fd_write'?"
            )
        ],
    ),
    "former-name-of-preview-1": (
        [_import("wasi_unstable", "fd_write", FuncType((I32, I32, I32, I32), (I32,)))],
        [],
    ),
    "right-name-of-wrong-module": (
        [_import("env", "fd_write")],
        [("import env.fd_write is an unknown function; did you mean 'wasi_snapshot_preview1.fd_write'?")],
    ),
    "unknown-module-once-for-two": (
        [_import("env", "notify"), _import("env", "notify")],
        [f"import env.notify is an unknown function; {EXPECTED}"],
    ),
    "several-of-one-module": (
        [_import("env", f"f{number}") for number in range(88)],
        [f"imports from env are unknown functions: f0, f1, f2, f3, f4 and 83 more; {EXPECTED}"],
    ),
    "memory": (
        [Import(module="env", name="memory", kind=ExternKind.MEMORY)],
        ["import env.memory is a memory; expected a function"],
    ),
    "table": (
        [Import(module="env", name="t", kind=ExternKind.TABLE)],
        ["import env.t is a table; expected a function"],
    ),
    "global": (
        [Import(module="env", name="g", kind=ExternKind.GLOBAL)],
        ["import env.g is a global; expected a function"],
    ),
}

EXPORTS: dict[str, tuple[list[Export], list[str]]] = {
    "command": ([START, MEMORY], []),
    "no-start": ([MEMORY], ["export '_start' is missing; expected a function of type () -> ()"]),
    "reactor": (
        [MEMORY, Export(name="_initialize", kind=ExternKind.FUNC, index=0, type=FuncType(()))],
        [
            (
                "module is a reactor: it exports '_initialize' and no '_start'; expected a command, "
                "a program with main (clang without -mexec-model=reactor, Rust's bin, Go without c-shared)"
            )
        ],
    ),
    "start-of-wrong-type": (
        [MEMORY, Export(name="_start", kind=ExternKind.FUNC, index=0, type=FuncType((I32,), (I32,)))],
        ["export '_start' has type (i32) -> (i32); expected () -> ()"],
    ),
    "start-is-no-function": (
        [MEMORY, Export(name="_start", kind=ExternKind.GLOBAL, index=0)],
        ["export '_start' is a global; expected a function of type () -> ()"],
    ),
    "no-memory": ([START], ["export 'memory' is missing; expected the module's memory"]),
    "memory-is-a-function": (
        [START, Export(name="memory", kind=ExternKind.FUNC, index=0, type=FuncType(()))],
        ["export 'memory' is a function; expected the module's memory"],
    ),
    "nothing": (
        [],
        [
            "export '_start' is missing; expected a function of type () -> ()",
            "export 'memory' is missing; expected the module's memory",
        ],
    ),
}


@pytest.mark.parametrize("case", IMPORTS)
def test_imports(case: str) -> None:
    """Every import that is not provided as it is imported is named, with what was expected."""
    imports, problems = IMPORTS[case]

    assert Command().check(Module(imports=tuple(imports), exports=(START, MEMORY))) == problems


@pytest.mark.parametrize("case", EXPORTS)
def test_exports(case: str) -> None:
    """A command exports ``_start`` and its memory; what is missing or wrong is named."""
    exports, problems = EXPORTS[case]

    assert Command().check(Module(exports=tuple(exports))) == problems


FOREIGN = {
    "Go": (
        [_import("gojs", "runtime.wasmExit"), _import("gojs", "syscall/js.valueGet")],
        "GOOS=wasip1 GOARCH=wasm",
    ),
    "wasm-bindgen": (
        [_import("wbg", "__wbindgen_throw"), _import("wbg", "log")],
        "cargo build --target wasm32-wasip1",
    ),
    "Emscripten": (
        [_import("env", "emscripten_notify"), _import("env", "x")],
        "clang --target=wasm32-wasip1",
    ),
    "wasi-threads": ([_import("wasi", "thread-spawn")], "expected a build without threads"),
    "shared memory": (
        [
            Import(
                module="env",
                name="memory",
                kind=ExternKind.MEMORY,
                memory=MemoryType(min_pages=1, max_pages=1, is_shared=True),
            )
        ],
        "expected a build without threads",
    ),
    "preview 2": ([_import("wasi:cli/stdout@0.2.0", "get-stdout")], "target wasm32-wasip1"),
    "AssemblyScript": ([_import("env", "abort")], "@assemblyscript/wasi-shim"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_builds_for_other_hosts(case: str) -> None:
    """One line says what the module is and which build runs here, whatever it imports and lacks."""
    imports, remedy = FOREIGN[case]

    (line,) = Command().check(Module(imports=tuple(imports)))

    assert line.startswith("module ")
    assert remedy in line


def test_a_reactor_is_told_in_one_line() -> None:
    """Its imports are of no use to a person who must link it anew."""
    initialize = Export(name="_initialize", kind=ExternKind.FUNC, index=0, type=FuncType(()))
    imports = tuple(_import("env", f"f{number}") for number in range(24))

    (line,) = Command().check(Module(imports=imports, exports=(initialize, MEMORY)))

    assert line.startswith("module is a reactor: ")


def _function(name: str, *, params: int = 0, results: int = 0) -> Export:
    kind = FuncType(("i32",) * params, ("i32",) * results)
    return Export(name=name, kind=ExternKind.FUNC, index=0, type=kind)


GUEST_CALL = _function("__guest_call", params=2, results=1)
REQUEST = Import(module="wapc", name="__guest_request", kind=ExternKind.FUNC, type=FuncType(("i32", "i32")))
WAPC_EXPORTS: dict[str, tuple[list[Export], list[str]]] = {
    "neither initialiser": ([GUEST_CALL, MEMORY], []),
    "all initialisers": (
        [GUEST_CALL, MEMORY, *map(_function, ("_start", "_initialize", "wapc_init"))],
        [],
    ),
    "nothing": (
        [],
        [
            "export '__guest_call' is missing; expected a function of type (i32, i32) -> (i32)",
            "export 'memory' is missing; expected the module's memory",
        ],
    ),
    "guest call of wrong type": (
        [_function("__guest_call"), MEMORY],
        ["export '__guest_call' has type () -> (); expected (i32, i32) -> (i32)"],
    ),
    "initialiser of wrong type": (
        [GUEST_CALL, MEMORY, _function("wapc_init", params=1)],
        ["export 'wapc_init' has type (i32) -> (); expected () -> ()"],
    ),
    "command": (
        [START, MEMORY],
        [
            (
                "module is a command: it exports '_start' and no '__guest_call'; "
                "expected guest = 'wasi-command' (for `run`: no --call)"
            )
        ],
    ),
}


@pytest.mark.parametrize("case", WAPC_EXPORTS)
def test_exports_of_a_wapc_guest(case: str) -> None:
    """It needs ``__guest_call`` and a memory; what prepares it may be missing, but has one type."""
    exports, problems = WAPC_EXPORTS[case]

    assert Wapc().check(Module(imports=(REQUEST,), exports=tuple(exports))) == problems


def test_a_wapc_guest_is_no_command() -> None:
    """One line names the guest interface that it wants, whatever else it lacks."""
    module = Module(imports=(REQUEST,), exports=(GUEST_CALL, MEMORY, START))

    assert Command().check(module) == [
        "module is a waPC guest: it exports '__guest_call'; expected guest = 'wapc' (for `run`: --call)"
    ]
