"""A guest gets an errno from every WASI function, for any arguments and any content of its memory."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.hosts.guest_memory import MemoryGuest
from wasm_grpc.hosts.wasi import preview1
from wasm_grpc.hosts.wasi.mounts import FileSystem

__all__ = []

NAMES = sorted(name for _, name in preview1.FUNCTIONS if name != "proc_exit")

ARGUMENTS = st.one_of(
    st.integers(0, 6),
    st.integers(0, 400),
    st.integers(-(1 << 31), (1 << 32) - 1),
    st.sampled_from([65_535, 65_536, (1 << 32) - 1, -1, (1 << 63) - 1]),
)
CALLS = st.tuples(st.sampled_from(NAMES), st.lists(ARGUMENTS, min_size=9, max_size=9))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=400), st.lists(CALLS, min_size=1, max_size=20))
def test_any_call_returns_an_errno(memory: bytes, calls: list[tuple[str, list[int]]]) -> None:
    """No function raises, and each returns a valid errno, after any other calls."""
    scratch = FileSystem((), scratch_bytes=65_536)
    guest = MemoryGuest(body=b"body" * 50, args=["guest", "x"], env=["A=b"], preopens=scratch.preopens())
    guest.put(0, memory)
    # A valid name and valid vectors, so that some of the random calls get further than the first check.
    guest.put(100, b"a/b")
    guest.put_u32(200, 100, 3, 300, 50)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", lambda seconds: None)
        for name, args in calls:
            params = preview1.FUNCTIONS[preview1.MODULE, name].type.params
            errno = guest.call(name, *args[: len(params)])

            assert isinstance(errno, int)
            assert 0 <= errno <= 76
            assert len(guest.memory) == 65_536
