"""Recognise modules that were built for another guest interface than the manifest says, and name theirs."""

from __future__ import annotations

from typing import Final

from wasm_grpc.core.model import GuestKind
from wasm_grpc.engines.binary import Module
from wasm_grpc.guests.bindgen.conventions import find_convention

__all__ = [
    "GUEST_CALL",
    "INITIALIZE",
    "START",
    "find_bindgen_guest",
    "find_command",
    "find_reactor",
    "find_wapc_guest",
]

START: Final = "_start"
"""The export that runs a command."""
INITIALIZE: Final = "_initialize"
"""The export that prepares a reactor."""
GUEST_CALL: Final = "__guest_call"
"""The export that calls a waPC guest."""


def find_wapc_guest(module: Module) -> str | None:
    """
    Return one line about a waPC guest; ``None`` if the module is none.
    """
    if module.export(GUEST_CALL) is None:
        return None
    return (
        f"module is a waPC guest: it exports '{GUEST_CALL}'; "
        f"expected guest = '{GuestKind.WAPC.value}' (for `run`: --call)"
    )


def find_bindgen_guest(module: Module) -> str | None:
    """
    Return one line about a wasmedge-bindgen guest; ``None`` if the module is none.
    """
    convention = find_convention(module)
    if convention is None or module.export(GUEST_CALL) is not None:
        return None
    return (
        f"module is built with {convention.value}; "
        f"expected guest = '{GuestKind.WASMEDGE_BINDGEN.value}' (for `run`: --call)"
    )


def find_command(module: Module) -> str | None:
    """
    Return one line about a command; ``None`` if the module is none.
    """
    if module.export(GUEST_CALL) is not None or module.export(START) is None:
        return None
    return (
        f"module is a command: it exports '{START}' and no '{GUEST_CALL}'; "
        f"expected guest = '{GuestKind.WASI_COMMAND.value}' (for `run`: no --call)"
    )


def find_reactor(module: Module) -> str | None:
    """
    Return one line about a reactor that is no waPC guest; ``None`` if the module is none.
    """
    if module.export(INITIALIZE) is None or module.export(START) is not None:
        return None
    return (
        f"module is a reactor: it exports '{INITIALIZE}' and no '{START}'; expected a command, "
        "a program with main (clang without -mexec-model=reactor, Rust's bin, Go without c-shared)"
    )
