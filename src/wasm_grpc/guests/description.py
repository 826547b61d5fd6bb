"""Say what a module is, and which guest interface calls it, from its imports and exports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wasm_grpc.core.model import GuestKind
from wasm_grpc.core.text import escaped
from wasm_grpc.core.wire import DESCRIBED_NAME_CHARS, DESCRIBED_NAMES, Described
from wasm_grpc.engines.binary import Module
from wasm_grpc.guests.bindgen.conventions import find_convention, functions_of
from wasm_grpc.guests.interfaces import GUEST_CALL, INITIALIZE, START
from wasm_grpc.guests.registry import guest_for

__all__ = ["describe"]


class _Identity(NamedTuple):
    """
    What a module is, the guest interface that calls it, and the exports that are called by name.
    """

    what: str
    guest: GuestKind | None = None
    calls: tuple[str, ...] = ()


def describe(module: Module) -> Described:
    """
    Return what a module is. It is not said to run here: see `Guest.check`.
    """
    identity = _identify(module)
    # The line of the most common guest interface says best what a module of no known one is.
    problem = "" if identity.guest else guest_for(GuestKind.WASI_COMMAND).check(module)[0]
    return Described(
        what=identity.what,
        guest=identity.guest,
        host_modules=_shown(sorted({imported.module for imported in module.imports})),
        calls=_shown(identity.calls),
        problem=problem,
    )


def _shown(names: Sequence[str]) -> tuple[str, ...]:
    # A module may have a million names, of any text.
    lines = [escaped(name[:DESCRIBED_NAME_CHARS]) for name in names[:DESCRIBED_NAMES]]
    return (*lines, f"{len(names) - DESCRIBED_NAMES} more") if len(names) > DESCRIBED_NAMES else tuple(lines)


def _identify(module: Module) -> _Identity:
    if module.export(GUEST_CALL) is not None:
        return _Identity("waPC guest", GuestKind.WAPC)
    convention = find_convention(module)
    if convention is not None:
        calls = tuple(functions_of(module, convention))
        return _Identity(f"guest of {convention.value}", GuestKind.WASMEDGE_BINDGEN, calls)
    if module.export(START) is not None:
        return _Identity("WASI command", GuestKind.WASI_COMMAND)
    if module.export(INITIALIZE) is not None:
        return _Identity("WASI reactor")
    return _Identity("module of an unknown interface")
