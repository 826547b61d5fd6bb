"""Which guest interfaces there are."""

from __future__ import annotations

import pytest

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.model import GuestKind
from wasm_grpc.guests.command import Command
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.guests.wapc import Wapc

__all__ = []


def test_command_is_there() -> None:
    """A wasi-command can be run."""
    assert isinstance(guest_for(GuestKind.WASI_COMMAND), Command)


def test_wapc_is_there() -> None:
    """A waPC guest can be called."""
    assert isinstance(guest_for(GuestKind.WAPC), Wapc)


def test_later_guests_are_refused_by_name() -> None:
    """What has not come yet is named, with what can be had."""
    with pytest.raises(ConfigError) as caught:
        guest_for(GuestKind.WASMEDGE_BINDGEN)

    assert str(caught.value) == (
        "guest 'wasmedge-bindgen' is not implemented yet; expected 'wasi-command' or 'wapc'"
    )
