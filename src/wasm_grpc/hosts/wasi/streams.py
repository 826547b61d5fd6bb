"""Where a guest's standard streams come from and go to."""

from __future__ import annotations

import io
import sys
from typing import Protocol

from wasm_grpc.core.model import KIB, MIB, Reason
from wasm_grpc.engines.protocol import GuestStop

__all__ = ["BytesStdin", "CollectedStdout", "Sink", "Stderr", "Stdin", "Stdout", "refuse_output"]


class Stdin(Protocol):
    """
    What a guest reads.
    """

    def read(self, limit: int) -> bytes | memoryview:
        """
        Return the next bytes, at least one and at most `limit` (over 0); b"" once there are no more.

        May block until there are some. A memoryview has one byte an item.
        """
        ...

    def available(self) -> int | None:
        """
        Return how many bytes `read` gives without blocking, 0 at the end; ``None`` where it would block.
        """
        ...

    def wait(self, timeout_ns: int | None) -> None:
        """
        Wait until `read` would not block, but not longer than so many nanoseconds; ``None`` is without end.
        """
        ...


class Sink(Protocol):
    """
    What a guest writes to.
    """

    def write(self, chunk: memoryview) -> None:
        """
        Take all of `chunk`, guest memory that is only lent for the call; may block.

        Raises:
            GuestStop: The guest may write no more.
        """
        ...


class Stdout(Sink, Protocol):
    """
    What takes a guest's result.
    """

    def collected(self) -> bytes:
        """
        Return what belongs into the outcome; b"" from one that hands each chunk on at once.
        """
        ...


class BytesStdin:
    """
    A body that is there as a whole; reading it copies nothing.
    """

    __slots__ = ("_at", "_body")

    def __init__(self, body: bytes) -> None:
        self._body = memoryview(body)
        self._at = 0

    def read(self, limit: int) -> memoryview:
        """
        See `Stdin.read`; never blocks.
        """
        at = self._at
        chunk = self._body[at : at + limit]
        self._at = at + len(chunk)
        return chunk

    def available(self) -> int:
        """
        See `Stdin.available`: all that is left.
        """
        return len(self._body) - self._at

    def wait(self, timeout_ns: int | None) -> None:
        """
        See `Stdin.wait`: there is nothing to wait for.
        """


class CollectedStdout:
    """
    Keeps all that is written, up to a limit in bytes; ``None`` is no limit.
    """

    # BytesIO copies once on the way in and not at all on the way out (2.4 times a list of chunks).
    __slots__ = ("_collected", "_limit_bytes", "_room", "_take")

    def __init__(self, limit_bytes: int | None) -> None:
        self._collected = io.BytesIO()
        self._take = self._collected.write
        self._limit_bytes = sys.maxsize if limit_bytes is None else limit_bytes
        self._room = self._limit_bytes

    def write(self, chunk: memoryview) -> None:
        """
        See `Sink.write`.

        Raises:
            GuestStop: All that was written is more than the limit.
        """
        self._room -= len(chunk)
        if self._room < 0:
            raise refuse_output(self._limit_bytes)
        self._take(chunk)

    def collected(self) -> bytes:
        """
        See `Stdout.collected`: all that was written.
        """
        return self._collected.getvalue()


class Stderr:
    """
    Keeps the end of what is written; a flood costs no more memory than twice its limit.
    """

    __slots__ = ("_limit_bytes", "_tail")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._tail = bytearray()

    def write(self, chunk: memoryview) -> None:
        """
        See `Sink.write`; never refuses.
        """
        limit = self._limit_bytes
        tail = self._tail
        if len(chunk) > limit:
            chunk = chunk[len(chunk) - limit :]
        tail += chunk
        # At twice the limit, not at each write: a flood of single bytes stays linear.
        if len(tail) > 2 * limit:
            del tail[: len(tail) - limit]

    def tail(self) -> bytes:
        """
        Return the last bytes written, at most the limit.
        """
        return bytes(self._tail[max(0, len(self._tail) - self._limit_bytes) :])


def refuse_output(limit_bytes: int) -> GuestStop:
    """
    Return what stops a guest that wrote more than so many bytes.
    """
    return GuestStop(
        Reason.OUTPUT_LIMIT,
        f"guest wrote over {_in_binary_units(limit_bytes)} to standard output",
        limit="limits.output",
    )


def _in_binary_units(size: int) -> str:
    for unit, name in ((MIB, "MiB"), (KIB, "KiB")):
        if size and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"
