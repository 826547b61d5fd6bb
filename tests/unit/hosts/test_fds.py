"""Descriptors: what they are, what may be done with them, and how they go."""

from __future__ import annotations

import struct

import pytest

from unit.hosts.guest_memory import MemoryGuest
from wasm_grpc.hosts.wasi.abi import (
    EBADF,
    EINVAL,
    ENOTCAPABLE,
    RIGHT_FD_FDSTAT_SET_FLAGS,
    RIGHT_FD_FILESTAT_GET,
    RIGHT_FD_READ,
    RIGHT_FD_WRITE,
    RIGHT_POLL_FD_READWRITE,
    SUCCESS,
)

__all__ = []

COMMON_RIGHTS = RIGHT_FD_FDSTAT_SET_FLAGS | RIGHT_FD_FILESTAT_GET | RIGHT_POLL_FD_READWRITE


def _rights(guest: MemoryGuest, fd: int) -> int:
    guest.call("fd_fdstat_get", fd, 64)
    return guest.u64(72)


def _write(guest: MemoryGuest, fd: int, text: bytes) -> object:
    guest.put(1000, text)
    guest.put_u32(0, 1000, len(text))
    return guest.call("fd_write", fd, 0, 1, 8)


@pytest.mark.parametrize(("fd", "right"), [(0, RIGHT_FD_READ), (1, RIGHT_FD_WRITE), (2, RIGHT_FD_WRITE)])
def test_fdstat_of_a_stream(fd: int, right: int) -> None:
    """A stream is of unknown type, as no type is a pipe's, without flags and without a position."""
    guest = MemoryGuest()
    guest.put(64, b"\xff" * 24)

    errno = guest.call("fd_fdstat_get", fd, 64)

    assert errno == SUCCESS
    assert guest.take(64, 24) == struct.pack("<BxHxxxxQQ", 0, 0, COMMON_RIGHTS | right, 0)


def test_filestat_of_a_stream() -> None:
    """A stream has no file's attributes: all 64 bytes are zero."""
    guest = MemoryGuest()
    guest.put(64, b"\xff" * 65)

    errno = guest.call("fd_filestat_get", 1, 64)

    assert errno == SUCCESS
    assert guest.take(64, 65) == bytes(64) + b"\xff"


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_closed_stream_is_gone(fd: int) -> None:
    """A closed stream is no descriptor any more, and closing it again says so."""
    guest = MemoryGuest()

    assert guest.call("fd_close", fd) == SUCCESS
    assert guest.call("fd_close", fd) == EBADF
    assert guest.call("fd_fdstat_get", fd, 64) == EBADF


def test_renumbered_stream_is_at_its_new_place_alone() -> None:
    """Standard error renumbered to 1 takes what is written to 1, and 2 is closed."""
    guest = MemoryGuest()

    errno = guest.call("fd_renumber", 2, 1)

    assert errno == SUCCESS
    assert _write(guest, 1, b"now an error") == SUCCESS
    assert _write(guest, 2, b"nowhere") == EBADF
    assert (guest.stdout.collected(), guest.stderr.tail()) == (b"", b"now an error")


def test_renumbering_to_itself_changes_nothing() -> None:
    """A descriptor renumbered to its own number stays open."""
    guest = MemoryGuest()

    assert guest.call("fd_renumber", 1, 1) == SUCCESS
    assert _write(guest, 1, b"still there") == SUCCESS


@pytest.mark.parametrize(("fd", "to"), [(3, 1), (1, 3), (3, 3)])
def test_renumbering_what_is_not_open(fd: int, to: int) -> None:
    """Both numbers must be open: a guest can't place a descriptor where the next one opened would be."""
    guest = MemoryGuest()

    assert guest.call("fd_renumber", fd, to) == EBADF
    assert _write(guest, 1, b"still there") == SUCCESS


def test_rights_can_be_given_up() -> None:
    """A guest can't use rights that it has given up, and can't get them back."""
    guest = MemoryGuest()
    before = _rights(guest, 1)

    assert guest.call("fd_fdstat_set_rights", 1, RIGHT_POLL_FD_READWRITE, 0) == SUCCESS
    assert _rights(guest, 1) == RIGHT_POLL_FD_READWRITE
    assert _write(guest, 1, b"refused") == EBADF
    assert guest.call("fd_filestat_get", 1, 64) == ENOTCAPABLE
    assert guest.call("fd_fdstat_set_flags", 1, 0) == ENOTCAPABLE
    assert guest.call("fd_fdstat_set_rights", 1, before, 0) == ENOTCAPABLE
    assert guest.call("fd_fdstat_set_rights", 1, 0, RIGHT_FD_WRITE) == ENOTCAPABLE


def test_flags_are_kept() -> None:
    """Flags of the standard are taken and told again; a bit that is no flag is EINVAL."""
    guest = MemoryGuest()

    assert guest.call("fd_fdstat_set_flags", 1, 0b00101) == SUCCESS
    assert guest.call("fd_fdstat_set_flags", 1, 0b100000) == EINVAL
    guest.call("fd_fdstat_get", 1, 64)
    assert guest.take(66, 2) == b"\x05\0"


def test_setting_times_of_a_stream_is_not_granted() -> None:
    """A stream's times are not the guest's to set."""
    assert MemoryGuest().call("fd_filestat_set_times", 1, 0, 0, 0) == ENOTCAPABLE
