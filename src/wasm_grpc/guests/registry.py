"""Find the guest interface that a manifest names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from wasm_grpc.core.model import GuestKind
from wasm_grpc.guests.bindgen.guest import Bindgen
from wasm_grpc.guests.command import Command
from wasm_grpc.guests.protocol import Guest
from wasm_grpc.guests.wapc import Wapc

__all__ = ["guest_for"]

_GUESTS: Final[Mapping[GuestKind, Callable[[], Guest]]] = {
    GuestKind.WASI_COMMAND: Command,
    GuestKind.WAPC: Wapc,
    GuestKind.WASMEDGE_BINDGEN: Bindgen,
}


def guest_for(kind: GuestKind) -> Guest:
    """
    Return the guest interface of that kind.
    """
    return _GUESTS[kind]()
