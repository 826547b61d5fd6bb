"""Find the guest interface that a manifest names."""

from __future__ import annotations

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.model import GuestKind
from wasm_grpc.guests.command import Command
from wasm_grpc.guests.protocol import Guest
from wasm_grpc.guests.wapc import Wapc

__all__ = ["guest_for"]


def guest_for(kind: GuestKind) -> Guest:
    """
    Return the guest interface of that kind.

    Raises:
        ConfigError: This version doesn't implement it yet.
    """
    if kind is GuestKind.WASI_COMMAND:
        return Command()
    if kind is GuestKind.WAPC:
        return Wapc()
    raise ConfigError(
        f"guest '{kind.value}' is not implemented yet; "
        f"expected '{GuestKind.WASI_COMMAND.value}' or '{GuestKind.WAPC.value}'"
    )
