"""Which guest interfaces there are."""

from __future__ import annotations

import pytest

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.model import GuestKind
from wasm_grpc.guests.command import Command
from wasm_grpc.guests.registry import guest_for

__all__ = []


def test_command_is_there() -> None:
    """A wasi-command can be run."""
    assert isinstance(guest_for(GuestKind.WASI_COMMAND), Command)


@pytest.mark.parametrize("kind", [GuestKind.WAPC, GuestKind.WASMEDGE_BINDGEN])
def test_later_guests_are_refused_by_name(kind: GuestKind) -> None:
    """What has not come yet is named, with what can be had."""
    with pytest.raises(ConfigError) as caught:
        guest_for(kind)

    assert str(caught.value) == f"guest '{kind.value}' is not implemented yet; expected 'wasi-command'"
