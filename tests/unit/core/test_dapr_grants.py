"""Which calls to Dapr a grant allows."""

from __future__ import annotations

import pytest

from wasm_grpc.core.dapr_grants import is_component_granted, is_granted

__all__ = []

GRANTS = ("store/orders-*", "store/exact", "all/*", "apps/orders/*")


@pytest.mark.parametrize(
    ("component", "name", "expected"),
    [
        ("store", "exact", True),
        ("store", "exact1", False),
        ("store", "exac", False),
        ("store", "orders-", True),
        ("store", "orders-1", True),
        ("store", "orders-/1", True),
        ("store", "orders-..", True),
        ("store", "orders-\0", True),
        ("store", "orders", False),
        ("store", "orders/1", False),
        ("store", "Orders-1", False),
        ("store", "", False),
        ("store", "*", False),
        ("store", "..", False),
        ("all", "anything/at/all", True),
        ("all", "*", True),
        ("all", "", False),
        ("apps", "orders/1", True),
        ("apps", "orders/", True),
        ("apps", "orders", False),
        # Component and name are compared apart: the grant's slash can't move into the component.
        ("apps/orders", "1", False),
        ("store/orders-", "x", False),
        ("", "orders-1", False),
        ("sto", "re/exact", False),
        ("*", "exact", False),
    ],
)
def test_a_name_in_a_component(component: str, name: str, *, expected: bool) -> None:
    """The component is the grant's own; "*" at the grant's end stands for any text."""
    assert is_granted(GRANTS, component, name) is expected


@pytest.mark.parametrize(("component", "expected"), [("store", True), ("stor", False), ("", False)])
def test_a_component(component: str, *, expected: bool) -> None:
    """Something in it is granted."""
    assert is_component_granted(GRANTS, component) is expected
