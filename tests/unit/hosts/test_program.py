"""Arguments, environment, random bytes and signals."""

from __future__ import annotations

import pytest

from unit.hosts.guest_memory import MemoryGuest
from wasm_grpc.hosts.wasi.abi import EFAULT, ENOSYS, SUCCESS
from wasm_grpc.hosts.wasi.context import encode_strings

__all__ = []

STRINGS = {
    "none": ([], b""),
    "one": (["f"], b"f\0"),
    "several": (["f", "", "größe=1"], "f\0\0größe=1\0".encode()),
    "not-utf-8": (["\udcff"], b"\xff\0"),
}


@pytest.mark.parametrize("case", STRINGS)
@pytest.mark.parametrize("name", ["args", "environ"])
def test_strings(name: str, case: str) -> None:
    """The sizes tell what fits; then each pointer leads to its string, ended by NUL."""
    strings, block = STRINGS[case]
    guest = MemoryGuest(args=strings) if name == "args" else MemoryGuest(env=strings)

    sizes = guest.call(f"{name}_sizes_get", 0, 4)
    strings_put = guest.call(f"{name}_get", 100, 1000)

    assert (sizes, strings_put) == (SUCCESS, SUCCESS)
    assert (guest.u32(0), guest.u32(4)) == (len(strings), len(block))
    assert guest.take(1000, len(block) + 1) == block + b"\0"
    pointers = [guest.u32(100 + 4 * index) for index in range(len(strings))]
    ends = [guest.memory.index(b"\0", at) for at in pointers]
    assert [guest.take(at, end - at + 1) for at, end in zip(pointers, ends, strict=True)] == [
        encode_strings([string]) for string in strings
    ]


def test_strings_that_do_not_fit_are_not_begun() -> None:
    """A table of pointers that does not fit keeps the strings out too."""
    guest = MemoryGuest(args=["f", "x"])
    end = len(guest.memory)

    errno = guest.call("args_get", end - 4, 0)

    assert errno == EFAULT
    assert not any(guest.memory)


def test_random_bytes() -> None:
    """Random bytes fill what was asked for and no more, and differ each time."""
    guest = MemoryGuest()

    assert guest.call("random_get", 100, 32) == SUCCESS
    assert guest.call("random_get", 200, 32) == SUCCESS

    assert guest.take(100, 32) not in (bytes(32), guest.take(200, 32))
    assert (guest.take(0, 100), guest.take(132, 68)) == (bytes(100), bytes(68))


@pytest.mark.parametrize("length", [1 << 31, (1 << 32) - 1])
def test_more_random_bytes_than_memory(length: int) -> None:
    """What does not fit is refused before it is made."""
    assert MemoryGuest().call("random_get", 0, length) == EFAULT


def test_signals_and_yields() -> None:
    """There are no signals; yielding is fine and does nothing."""
    guest = MemoryGuest()

    assert guest.call("proc_raise", 9) == ENOSYS
    assert guest.call("sched_yield") == SUCCESS
