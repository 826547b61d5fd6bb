"""Modules that toolchains make for other hosts: what such a module is, and which build runs here."""

from __future__ import annotations

import re
from collections.abc import Callable

from wasm_grpc.engines.binary import ExternKind, Import, Module

__all__ = ["foreign_build"]


def foreign_build(module: Module) -> str | None:
    """
    Return one line on a module that was built for another host; ``None`` if it shows no sign of one.
    """
    for is_sign, line in _SIGNS:
        if any(map(is_sign, module.imports)):
            return line
    if module.export("_initialize") is not None and module.export("_start") is None:
        return (
            "module is a reactor: it exports '_initialize' and no '_start'; a command was expected: "
            "a program with main (clang without -mexec-model=reactor, Rust's bin, Go without c-shared)"
        )
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
        "module uses threads; a build without threads was expected: no -pthread, target wasm32-wasip1",
    ),
    (
        _from("gojs", "go"),
        (
            "module is Go's js/wasm, made for browsers; a build for WASI preview 1 was expected: "
            "GOOS=wasip1 GOARCH=wasm, or TinyGo's -target=wasip1"
        ),
    ),
    (
        _is_bindgen,
        (
            "module is wasm-bindgen's, made for JavaScript; a program for WASI preview 1 was expected: "
            "cargo build --target wasm32-wasip1"
        ),
    ),
    (
        _is_emscripten,
        (
            "module is Emscripten's, made for JavaScript; a build for WASI preview 1 was expected: "
            "clang --target=wasm32-wasip1 of the WASI SDK"
        ),
    ),
    (
        _is_component_part,
        (
            "module is a part of a component (WASI preview 2); a build for WASI preview 1 was expected: "
            "target wasm32-wasip1"
        ),
    ),
    (
        _is_assemblyscript,
        (
            "module is AssemblyScript's, made for JavaScript; a build for WASI preview 1 was expected: "
            "asc with @assemblyscript/wasi-shim"
        ),
    ),
)
