"""``fd_read`` and ``fd_write``: what is moved, and what is refused before a byte is."""

from __future__ import annotations

import pytest

from unit.hosts.guest_memory import MemoryGuest
from wasm_grpc.core.model import PAGE_BYTES
from wasm_grpc.hosts.wasi.abi import EBADF, EFAULT, EINVAL, SUCCESS

__all__ = []

SIZE_AT = 8192

# Vectors to read into, how much is told, what then lies at each.
READS = {
    "one": ([(1000, 3)], 3, [b"abc"]),
    "one-longer-than-the-body": ([(1000, 100)], 6, [b"abcdef"]),
    "two": ([(1000, 2), (2000, 3)], 5, [b"ab", b"cde"]),
    "two-the-second-not-filled": ([(1000, 4), (2000, 4)], 6, [b"abcd", b"ef\0\0"]),
    "empty-between": ([(1000, 1), (0, 0), (2000, 1)], 2, [b"a", b"", b"b"]),
    "only-empty": ([(1000, 0)], 0, [b""]),
    "none": ([], 0, []),
    "up-to-the-end": ([(PAGE_BYTES - 2, 2)], 2, [b"ab"]),
}

WRITES = {
    "one": ([(1000, 3)], b"abc"),
    "two": ([(1000, 2), (1004, 2)], b"abef"),
    "the-same-twice": ([(1000, 2), (1000, 2)], b"abab"),
    "empty-first": ([(0, 0), (1000, 2)], b"ab"),
    "only-empty": ([(1000, 0)], b""),
    "none": ([], b""),
}

BAD_VECTORS = {
    "address-past-the-end": ([(PAGE_BYTES, 1)], EFAULT),
    "length-past-the-end": ([(PAGE_BYTES - 1, 2)], EFAULT),
    "sum-past-2^32": ([((1 << 32) - 1, (1 << 32) - 1)], EFAULT),
    "second-of-two": ([(1000, 1), (PAGE_BYTES, 1)], EFAULT),
}


def _put_vectors(guest: MemoryGuest, vectors: list[tuple[int, int]]) -> None:
    guest.put_u32(0, *[number for vector in vectors for number in vector])


@pytest.mark.parametrize("case", READS)
def test_read(case: str) -> None:
    """The body fills the vectors in turn, and its size is told."""
    vectors, size, contents = READS[case]
    guest = MemoryGuest(body=b"abcdef")
    _put_vectors(guest, vectors)

    errno = guest.call("fd_read", 0, 0, len(vectors), SIZE_AT)

    assert errno == SUCCESS
    assert guest.u32(SIZE_AT) == size
    assert [
        guest.take(at, len(content)) for (at, _), content in zip(vectors, contents, strict=True)
    ] == contents


def test_reads_follow_each_other_to_the_end() -> None:
    """Each read goes on where the last one ended; at the end there are 0 bytes, again and again."""
    guest = MemoryGuest(body=b"abcde")
    guest.put_u32(0, 1000, 2)
    pieces = []

    for _ in range(5):
        guest.call("fd_read", 0, 0, 1, SIZE_AT)
        pieces.append(guest.take(1000, guest.u32(SIZE_AT)))

    assert pieces == [b"ab", b"cd", b"e", b"", b""]


def test_reading_over_the_vectors_themselves() -> None:
    """What is read may replace the vectors: they are taken as they were."""
    guest = MemoryGuest(body=bytes(range(1, 33)))
    guest.put_u32(0, 0, 16, 1000, 16)

    errno = guest.call("fd_read", 0, 0, 2, SIZE_AT)

    assert errno == SUCCESS
    assert guest.take(0, 16) == bytes(range(1, 17))
    assert guest.take(1000, 16) == bytes(range(17, 33))


@pytest.mark.parametrize("case", WRITES)
@pytest.mark.parametrize("fd", [1, 2])
def test_write(case: str, fd: int) -> None:
    """The vectors are written in turn, and their size is told."""
    vectors, written = WRITES[case]
    guest = MemoryGuest()
    guest.put(1000, b"abcdef")
    _put_vectors(guest, vectors)

    errno = guest.call("fd_write", fd, 0, len(vectors), SIZE_AT)

    assert errno == SUCCESS
    assert guest.u32(SIZE_AT) == len(written)
    assert (guest.stdout.collected(), guest.stderr.tail()) == ((written, b"") if fd == 1 else (b"", written))


def test_written_bytes_are_kept_as_they_were() -> None:
    """What the guest does to its buffer after a write does not change what it wrote."""
    guest = MemoryGuest()
    guest.put(1000, b"abc")
    guest.put_u32(0, 1000, 3)
    guest.call("fd_write", 1, 0, 1, SIZE_AT)

    guest.put(1000, b"xyz")

    assert guest.stdout.collected() == b"abc"


@pytest.mark.parametrize("case", BAD_VECTORS)
@pytest.mark.parametrize(("name", "fd"), [("fd_read", 0), ("fd_write", 1)])
def test_bad_vector_moves_nothing(name: str, fd: int, case: str) -> None:
    """One vector outside memory refuses them all, before a byte is moved."""
    vectors, expected = BAD_VECTORS[case]
    guest = MemoryGuest(body=b"abc")
    _put_vectors(guest, vectors)
    before = bytes(guest.memory)

    errno = guest.call(name, fd, 0, len(vectors), SIZE_AT)

    assert errno == expected
    assert bytes(guest.memory) == before
    assert guest.stdout.collected() == b""


@pytest.mark.parametrize("count", [PAGE_BYTES // 8 + 1, 1 << 31, (1 << 32) - 1, -1])
@pytest.mark.parametrize(("name", "fd"), [("fd_read", 0), ("fd_write", 1)])
def test_more_vectors_than_memory_holds(name: str, fd: int, count: int) -> None:
    """So many vectors can't lie in memory: EFAULT."""
    assert MemoryGuest().call(name, fd, 0, count, SIZE_AT) == EFAULT


@pytest.mark.parametrize(("name", "fd"), [("fd_read", 0), ("fd_write", 1)])
def test_more_bytes_than_a_size_can_tell(name: str, fd: int) -> None:
    """Vectors that name 2^32 bytes or more, the same ones again and again, are EINVAL."""
    guest = MemoryGuest(body=b"abc")
    guest.memory = bytearray(1 << 22)
    count = 1 << 11
    guest.put_u32(0, *[0, 1 << 21] * count)

    assert guest.call(name, fd, 0, count, 1 << 21) == EINVAL
    assert guest.stdout.collected() == b""


@pytest.mark.parametrize(("name", "fd"), [("fd_read", 1), ("fd_read", 2), ("fd_write", 0)])
def test_wrong_direction(name: str, fd: int) -> None:
    """Standard output can't be read, nor standard input written."""
    assert MemoryGuest().call(name, fd, 0, 1, SIZE_AT) == EBADF
