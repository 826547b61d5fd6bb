"""Which apps a function doesn't call for now."""

from __future__ import annotations

import pytest

from wasm_grpc.dapr.pauses import PAUSE_S, Pauses


@pytest.mark.parametrize(
    ("took_s", "limit_s", "is_paused"),
    [(1.0, 1.0, True), (0.8, 1.0, True), (0.7, 1.0, False), (0.0, 1.0, False), (60.0, None, False)],
)
def test_a_call_that_waits_in_vain_begins_a_pause(
    took_s: float, limit_s: float | None, *, is_paused: bool
) -> None:
    """It has to take most of its limit. An error that comes at once, or a call without a limit, begins none."""
    pauses = Pauses(lambda: 100.0)

    pauses.failed("f", "app", took_s=took_s, limit_s=limit_s)

    assert pauses.is_paused("f", "app") is is_paused


def test_a_pause_ends() -> None:
    """It is of one function and one app, and over after its time."""
    now_s = 100.0
    pauses = Pauses(lambda: now_s)
    assert not pauses.is_paused("f", "app")

    pauses.failed("f", "app", took_s=1, limit_s=1)

    assert (pauses.is_paused("g", "app"), pauses.is_paused("f", "other")) == (False, False)
    now_s += PAUSE_S - 1
    assert pauses.is_paused("f", "app")
    now_s += 1
    assert not pauses.is_paused("f", "app")
