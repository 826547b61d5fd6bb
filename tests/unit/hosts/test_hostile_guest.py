"""Whatever a guest passes, and whatever lies in its memory, it gets an errno."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.hosts.guest_memory import MemoryGuest
from wasm_grpc.hosts.wasi import preview1

__all__ = []

NAMES = sorted(name for _, name in preview1.FUNCTIONS if name != "proc_exit")

ARGUMENTS = st.one_of(
    st.integers(0, 3),
    st.integers(0, 400),
    st.integers(-(1 << 31), (1 << 32) - 1),
    st.sampled_from([65_535, 65_536, (1 << 32) - 1, -1]),
)


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(NAMES), st.binary(max_size=400), st.lists(ARGUMENTS, min_size=9, max_size=9))
def test_errno_and_nothing_else(name: str, memory: bytes, args: list[int]) -> None:
    """No function raises, and none answers with what is no errno."""
    guest = MemoryGuest(body=b"body" * 50, args=["guest", "x"], env=["A=b"])
    guest.put(0, memory)
    params = preview1.FUNCTIONS[preview1.MODULE, name].type.params

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda seconds: None)
        errno = guest.call(name, *args[: len(params)])

    assert isinstance(errno, int)
    assert 0 <= errno <= 76
    assert len(guest.memory) == 65_536
