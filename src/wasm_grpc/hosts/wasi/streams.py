"""The sources and sinks of a guest's standard streams."""

from __future__ import annotations

import io
import sys
from typing import Protocol

from wasm_grpc.core.model import KIB, MIB, Reason
from wasm_grpc.engines.protocol import GuestStop

__all__ = [
    "BytesStdin",
    "CollectedStdout",
    "Sink",
    "Stderr",
    "Stdin",
    "Stdout",
    "in_binary_units",
    "refuse_output",
]


class Stdin(Protocol):
    """
    The source of a guest's standard input.
    """

    def read(self, limit: int) -> bytes | memoryview:
        """
        Return the next bytes, at least one and at most `limit` (over 0); b"" at the end.

        May block until there are some. A memoryview has items of one byte.
        """
        ...

    def available(self) -> int | None:
        """
        Return how many bytes `read` can return without blocking, 0 at the end; ``None`` if it would block.
        """
        ...

    def wait(self, timeout_ns: int | None) -> None:
        """
        Wait until `read` would not block, at most `timeout_ns`; ``None`` means no limit.
        """
        ...


class Sink(Protocol):
    """
    The sink of a guest's output stream.
    """

    def write(self, chunk: memoryview) -> None:
        """
        Consume all of `chunk`, which is guest memory and valid only during the call. May block.

        Raises:
            GuestStop: The guest has reached its output limit.
        """
        ...


class Stdout(Sink, Protocol):
    """
    The sink of a guest's result.
    """

    def collected(self) -> bytes:
        """
        Return the result for the outcome; b"" if each chunk is forwarded at once.
        """
        ...


class BytesStdin:
    """
    A body that is complete in memory. Reading it copies nothing.
    """

    __slots__ = ("_at", "_body")

    def __init__(self, body: bytes) -> None:
        self._body = memoryview(body)
        self._at = 0

    def read(self, limit: int) -> memoryview:
        """
        See `Stdin.read`. Never blocks.
        """
        at = self._at
        chunk = self._body[at : at + limit]
        self._at = at + len(chunk)
        return chunk

    def available(self) -> int:
        """
        See `Stdin.available`: the rest of the body.
        """
        return len(self._body) - self._at

    def wait(self, timeout_ns: int | None) -> None:
        """
        See `Stdin.wait`. Returns at once.
        """


class CollectedStdout:
    """
    Keeps everything that is written, up to a limit in bytes; ``None`` means no limit.
    """

    # BytesIO copies on write and not in `getvalue`: 2.4 times as fast as a list of chunks.
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
            GuestStop: The guest wrote more than the limit.
        """
        self._room -= len(chunk)
        if self._room < 0:
            raise refuse_output(self._limit_bytes)
        self._take(chunk)

    def collected(self) -> bytes:
        """
        See `Stdout.collected`: everything that was written.
        """
        return self._collected.getvalue()


class Stderr:
    """
    Keeps the end of what is written. It never takes more memory than about twice the limit.
    """

    __slots__ = ("_limit_bytes", "_tail")

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._tail = bytearray()

    def write(self, chunk: memoryview) -> None:
        """
        See `Sink.write`. Never raises an error.
        """
        limit = self._limit_bytes
        tail = self._tail
        if len(chunk) > limit:
            chunk = chunk[len(chunk) - limit :]
        tail += chunk
        # Cut at twice the limit, not at each write, so that many small writes take linear time.
        if len(tail) > 2 * limit:
            del tail[: len(tail) - limit]

    def tail(self) -> bytes:
        """
        Return the last bytes written, at most the limit.
        """
        return bytes(self._tail[max(0, len(self._tail) - self._limit_bytes) :])


def refuse_output(limit_bytes: int) -> GuestStop:
    """
    Return the exception that stops a guest which wrote more than `limit_bytes`.
    """
    return GuestStop(
        Reason.OUTPUT_LIMIT,
        f"guest wrote over {in_binary_units(limit_bytes)} to standard output",
        limit="limits.output",
    )


def in_binary_units(size: int) -> str:
    """
    Return a size in bytes as people write it: "1 MiB".
    """
    for unit, name in ((MIB, "MiB"), (KIB, "KiB")):
        if size and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"
