"""Handles: what an instance has opened, under numbers that nobody guesses."""

from __future__ import annotations

import pytest

from wasm_grpc.hosts.handles import HANDLES_LIMIT, Handles, TooManyHandlesError

__all__ = []


def test_handles_begin_anywhere() -> None:
    """No two instances have the same handle, but by a chance of one in a billion."""
    starts = {Handles().add("a") for _ in range(50)}

    assert len(starts) == 50
    assert all(0 < start <= 1 << 30 for start in starts)


def test_a_thing_is_found_by_its_handle_and_kind() -> None:
    """A handle of another kind is unknown."""
    handles = Handles()
    number, text = handles.add(5), handles.add("five")

    assert (handles.get(number, int), handles.get(text, str)) == (5, "five")
    assert (handles.get(number, str), handles.get(text + 1, str), handles.get(0, int)) == (None, None, None)


def test_what_belongs_to_a_closed_thing_is_closed() -> None:
    """Nothing else is, and no handle is used again."""
    handles = Handles()
    first, second = object(), object()
    gone = [handles.add(first), handles.add("of the first", owner=first)]
    kept = [handles.add(second), handles.add("of the second", owner=second)]

    handles.close(first)

    assert [handles.get(each, object) for each in gone] == [None, None]
    assert [handles.get(each, object) for each in kept] == [second, "of the second"]
    assert handles.add("new") == kept[-1] + 1


def test_they_are_bounded() -> None:
    """One that is closed makes room for another."""
    handles = Handles()
    opened = [object() for _ in range(HANDLES_LIMIT)]
    for each in opened:
        handles.add(each)

    with pytest.raises(TooManyHandlesError):
        handles.add("one more")
    handles.close(opened[3])

    assert handles.get(handles.add("one more"), str) == "one more"
