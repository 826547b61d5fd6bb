"""Standard streams: bodies without copies, output with a limit, the tail of a flood."""

from __future__ import annotations

import tracemalloc

import pytest

from wasm_grpc.core.model import KIB, MIB, Reason
from wasm_grpc.engines.protocol import GuestStop
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr

__all__ = []

# Limit, what is written, what is kept.
TAILS = {
    "nothing": (4, [], b""),
    "below": (4, [b"abc"], b"abc"),
    "at": (4, [b"abcd"], b"abcd"),
    "one-too-long": (4, [b"abcdefghijkl"], b"ijkl"),
    "many-small": (4, [b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h", b"i", b"j"], b"ghij"),
    "small-after-long": (4, [b"abcdefghijkl", b"m"], b"jklm"),
    "keeps-none": (0, [b"abc", b"d"], b""),
}


def test_body_is_given_without_copies() -> None:
    """Each read is a view of the body itself."""
    body = b"abcdef"
    stdin = BytesStdin(body)

    first, second, end = stdin.read(4), stdin.read(4), stdin.read(4)

    assert [bytes(piece) for piece in (first, second, end)] == [b"abcd", b"ef", b""]
    assert first.obj is body


def test_output_is_joined() -> None:
    """What was written is given as one, in order."""
    stdout = CollectedStdout(10)

    stdout.write(memoryview(b"abc"))
    stdout.write(memoryview(b"defghij"))

    assert stdout.collected() == b"abcdefghij"


LIMITS = {
    "MiB": (16 * MIB, "guest wrote over 16 MiB to standard output"),
    "KiB": (KIB, "guest wrote over 1 KiB to standard output"),
    "bytes": (1000, "guest wrote over 1000 bytes to standard output"),
    "none": (0, "guest wrote over 0 bytes to standard output"),
}


@pytest.mark.parametrize("case", LIMITS)
def test_output_over_its_limit_stops_the_guest(case: str) -> None:
    """The first byte over the limit stops the guest, naming the limit and its key."""
    limit_bytes, message = LIMITS[case]
    stdout = CollectedStdout(limit_bytes)
    stdout.write(memoryview(bytes(limit_bytes)))

    with pytest.raises(GuestStop) as caught:
        stdout.write(memoryview(b"x"))

    assert (caught.value.reason, str(caught.value), caught.value.limit) == (
        Reason.OUTPUT_LIMIT,
        message,
        "limits.output",
    )


def test_output_without_a_limit() -> None:
    """``None`` takes everything."""
    stdout = CollectedStdout(None)

    stdout.write(memoryview(bytes(20 * MIB)))

    assert len(stdout.collected()) == 20 * MIB


@pytest.mark.parametrize("case", TAILS)
def test_tail(case: str) -> None:
    """The last bytes are kept, however they came."""
    limit_bytes, chunks, kept = TAILS[case]
    stderr = Stderr(limit_bytes)

    for chunk in chunks:
        stderr.write(memoryview(chunk))

    assert stderr.tail() == kept


@pytest.mark.parametrize("size", [1, KIB, MIB])
def test_flood_of_stderr_takes_no_more_memory(size: int) -> None:
    """However much is written, and in pieces of whatever size, little more than the tail is held."""
    stderr = Stderr(KIB)
    chunk = memoryview(bytes(size))
    tracemalloc.start()

    for _ in range(20_000):
        stderr.write(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 16 * KIB
