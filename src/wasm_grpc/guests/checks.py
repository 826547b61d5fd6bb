"""Check a module's imports and exports before it is compiled."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from wasm_grpc.core.text import escaped
from wasm_grpc.engines.binary import ExternKind, Import, Module
from wasm_grpc.engines.protocol import FuncType, HostModules
from wasm_grpc.hosts.wasi import unstable

__all__ = ["check_function_export", "check_imports", "check_memory_export"]


_NAMES_SHOWN = 5
_NAME_CHARS = 160
"""How much of a name is shown: more than the longest of WASI's, with its module's."""


def check_imports(module: Module, hosts: HostModules) -> Iterator[str]:
    """
    Yield a line for each import that `hosts` doesn't provide, or provides with another type.
    """
    unknown: dict[str, list[str]] = {}
    # Go imports fd_write twice. One line is enough.
    imports = list(dict.fromkeys(module.imports))
    for imported in imports:
        if imported.kind is ExternKind.FUNC and (imported.module, imported.name) not in hosts:
            unknown.setdefault(imported.module, []).append(imported.name)
    for imported in imports:
        name = _shown(f"{imported.module}.{imported.name}")
        if imported.kind is not ExternKind.FUNC:
            yield f"import {name} is a {imported.kind.value}; expected a function"
            continue
        host = hosts.get((imported.module, imported.name))
        if host is None:
            names = unknown.pop(imported.module, [])
            if len(names) > 1:
                yield _unknown_imports(imported.module, names, hosts)
            if len(names) != 1:
                # Already reported with the first import from this module.
                continue
            yield f"import {name} is an unknown function; {_expected_instead(imported, hosts)}"
        elif imported.type is not None and imported.type != host.type:
            yield f"import {name} has type {imported.type}; expected {host.type}"


def check_function_export(module: Module, name: str, expected: FuncType) -> Iterator[str]:
    """
    Yield a line if `name` is not an exported function of that type.
    """
    export = module.export(name)
    if export is None:
        yield f"export '{name}' is missing; expected a function of type {expected}"
    elif export.kind is not ExternKind.FUNC:
        yield f"export '{name}' is a {export.kind.value}; expected a function of type {expected}"
    elif export.type is not None and export.type != expected:
        yield f"export '{name}' has type {export.type}; expected {expected}"


def check_memory_export(module: Module) -> Iterator[str]:
    """
    Yield a line if the module does not export its memory as ``memory``, where host functions look for it.
    """
    export = module.export("memory")
    if export is None:
        yield "export 'memory' is missing; expected the module's memory"
    elif export.kind is not ExternKind.MEMORY:
        yield f"export 'memory' is a {_noun(export.kind)}; expected the module's memory"


def _unknown_imports(module: str, names: list[str], hosts: HostModules) -> str:
    shown = ", ".join(map(_shown, names[:_NAMES_SHOWN]))
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"imports from {_shown(module)} are unknown functions: {shown}{more}; {_expected_of(hosts)}"


def _shown(name: str) -> str:
    # A module may name its imports as it likes, also with the line ends and escapes of a terminal.
    return escaped(name if len(name) <= _NAME_CHARS else f"{name[: _NAME_CHARS - 1]}…")


def _expected_of(hosts: HostModules) -> str:
    # Don't suggest `wasi_unstable`, which is only there for old modules.
    current = {module for module, _ in hosts} - {unstable.MODULE}
    modules = ", ".join(f"'{module}'" for module in sorted(current))
    return f"expected functions of {modules}"


def _noun(kind: ExternKind) -> str:
    return "function" if kind is ExternKind.FUNC else kind.value


def _expected_instead(imported: Import, hosts: HostModules) -> str:
    same_name = [f"{module}.{name}" for module, name in hosts if name == imported.name]
    known = [f"{module}.{name}" for module, name in hosts]
    nearest = same_name or difflib.get_close_matches(f"{imported.module}.{imported.name}", known, n=1)
    if nearest:
        return f"did you mean '{nearest[0]}'?"
    return _expected_of(hosts)
