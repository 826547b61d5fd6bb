"""Which guest interfaces there are."""

from __future__ import annotations

import pytest

from wasm_grpc.core.model import GuestKind
from wasm_grpc.guests.bindgen.guest import Bindgen
from wasm_grpc.guests.command import Command
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.guests.wapc import Wapc

__all__ = []


@pytest.mark.parametrize(
    ("kind", "guest"),
    [
        (GuestKind.WASI_COMMAND, Command),
        (GuestKind.WAPC, Wapc),
        (GuestKind.WASMEDGE_BINDGEN, Bindgen),
    ],
    ids=lambda value: value.value if isinstance(value, GuestKind) else "",
)
def test_a_guest_interface(kind: GuestKind, guest: type) -> None:
    """Every guest interface that a manifest may name can be run."""
    assert isinstance(guest_for(kind), guest)


def test_every_kind_is_there() -> None:
    """None is left out."""
    assert all(guest_for(kind) for kind in GuestKind)
