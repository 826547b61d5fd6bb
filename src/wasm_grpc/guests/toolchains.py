"""Recognise modules that toolchains built for other hosts, and name a build that runs here."""

from __future__ import annotations

import re
from collections.abc import Callable

from wasm_grpc.engines.binary import ExternKind, Import, Module

__all__ = ["foreign_build"]


def foreign_build(module: Module) -> str | None:
    """
    Return one line about a module that was built for another host; ``None`` if it shows no sign of that.
    """
    for is_sign, line in _SIGNS:
        if any(map(is_sign, module.imports)):
            return line
    return None


def _from(*modules: str) -> Callable[[Import], bool]:
    return lambda imported: imported.module in modules


def _is_threaded(imported: Import) -> bool:
    shares = imported.memory is not None and imported.memory.is_shared
    return shares or (imported.module, imported.name) == ("wasi", "thread-spawn")


def _is_bindgen(imported: Import) -> bool:
    return imported.module.startswith("__wbindgen") or imported.name.startswith("__wbindgen_")


def _is_emscripten(imported: Import) -> bool:
    return (
        imported.module == "env"
        and re.match(r"_?emscripten_|__syscall_|invoke_[vijfd]", imported.name) is not None
    )


def _is_component_part(imported: Import) -> bool:
    return re.match(r"wasi:[a-z-]+/|cm32p2", imported.module) is not None or imported.module == "$root"


def _is_assemblyscript(imported: Import) -> bool:
    return (imported.module, imported.name, imported.kind) in {
        ("env", "abort", ExternKind.FUNC),
        ("env", "seed", ExternKind.FUNC),
    }


_SIGNS: tuple[tuple[Callable[[Import], bool], str], ...] = (
    (
        _is_threaded,
        "module uses threads; expected a build without threads: no -pthread, target wasm32-wasip1",
    ),
    (
        _from("gojs", "go"),
        (
            "module is built for browsers (Go's js/wasm); expected a build for WASI preview 1: "
            "GOOS=wasip1 GOARCH=wasm, or TinyGo's -target=wasip1"
        ),
    ),
    (
        _is_bindgen,
        (
            "module is built for JavaScript (wasm-bindgen); expected a program for WASI preview 1: "
            "cargo build --target wasm32-wasip1"
        ),
    ),
    (
        _is_emscripten,
        (
            "module is built for JavaScript (Emscripten); expected a build for WASI preview 1: "
            "clang --target=wasm32-wasip1 of the WASI SDK"
        ),
    ),
    (
        _is_component_part,
        (
            "module is part of a component (WASI preview 2); expected a build for WASI preview 1: "
            "target wasm32-wasip1"
        ),
    ),
    (
        _is_assemblyscript,
        (
            "module is built for JavaScript (AssemblyScript); expected a build for WASI preview 1: "
            "asc with @assemblyscript/wasi-shim (for waPC: asc --use abort=…)"
        ),
    ),
)
