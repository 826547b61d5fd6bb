"""Read the pieces of a body as soon as they are available, until the reader is stopped."""

from __future__ import annotations

import io
import os
import select
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from wasm_grpc.client.messages import CHUNK_BYTES, Piece

__all__ = ["Body", "Readable", "Source"]


class Readable(Protocol):
    """
    A binary file, or an object with its `read`.
    """

    def read(self, size: int, /) -> bytes | None:
        """
        Return at most `size` bytes, b"" at the end.
        """


Body = Piece | Readable | Iterable[Piece]
"""Bytes, a binary file that is read as data arrives, or an iterable of pieces of any size."""


class Source:
    """
    The pieces of a body. One thread iterates over it, once. Any thread may call `stop`.

    `stop` ends a wait for a pipe, a terminal or a socket. Otherwise the thread would stay, and CPython
    aborts if a thread still reads from standard input at exit (seen on 3.11). Any other source that
    blocks, such as a generator, ends with its next piece.
    """

    def __init__(self, body: object) -> None:
        """
        Check a body's type, without reading from it.

        Raises:
            TypeError: It is not a body.
        """
        # A str is iterable too, but its pieces are not bytes.
        if isinstance(body, str) or not (hasattr(body, "read") or isinstance(body, Iterable)):
            raise TypeError(
                f"body: is {type(body).__name__}; expected bytes, a binary file or an iterable of bytes"
            )
        self._body = body
        self._wait = _Wait()

    def __iter__(self) -> Iterator[Piece]:
        try:
            for piece in _pieces(self._body, self._wait):
                if self._wait.is_over:
                    return
                yield piece
        finally:
            self._wait.close()

    def stop(self) -> None:
        """
        End the iteration, and a wait for the next piece. May be called twice.
        """
        self._wait.end()


class _Wait:
    """
    Waits until a descriptor is readable, or until another thread ends the wait.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Both ends of a pipe. Closing the write end wakes a poll on the read end.
        self._wake: list[int] = []
        self.is_over = False

    def for_bytes(self, descriptor: int) -> bool:
        """
        Wait until data or the end can be read. Return False if the wait was ended before.
        """
        with self._lock:
            if self.is_over:
                return False
            if not self._wake:
                self._wake = list(os.pipe())
            woken = self._wake[0]
        # Not `select`, which can't watch descriptors above 1023.
        poll = select.poll()
        poll.register(woken, select.POLLIN)
        poll.register(descriptor, select.POLLIN)
        return all(each != woken for each, _ in poll.poll())

    def end(self) -> None:
        """
        End the wait and every later one. Doesn't block.
        """
        with self._lock:
            self.is_over = True
            if len(self._wake) > 1:
                os.close(self._wake.pop())

    def close(self) -> None:
        """
        Release the pipe. Called by the waiting thread.
        """
        self.end()
        while self._wake:
            os.close(self._wake.pop())


def _pieces(body: object, wait: _Wait) -> Iterator[Piece]:
    if isinstance(body, bytes | bytearray | memoryview):
        return iter((body,))
    if isinstance(body, io.FileIO):
        return _read_ready(body.read, body.fileno(), wait)
    if isinstance(body, io.BufferedReader) and isinstance(body.raw, io.FileIO):
        return _read_buffered(body, wait)
    # Other objects may buffer data, so their descriptor doesn't show whether a read would block.
    if isinstance(body, Iterable) and not hasattr(body, "read"):
        return iter(body)
    return _read(getattr(body, "read1", None) or getattr(body, "read"))  # noqa: B009 - it may be either


def _read(read: Callable[[int], Piece | None]) -> Iterator[Piece]:
    while (piece := read(CHUNK_BYTES)) != b"":
        yield piece  # type: ignore[misc] # `cut` refuses other types than bytes


def _read_buffered(file: io.BufferedReader, wait: _Wait) -> Iterator[Piece]:
    if _has_buffered(file):
        yield file.read1(CHUNK_BYTES)
    # The buffer is empty now and stays so: reads of more than its size bypass it.
    yield from _read_ready(file.read1, file.fileno(), wait)


def _read_ready(read: Callable[[int], bytes | None], descriptor: int, wait: _Wait) -> Iterator[Piece]:
    while wait.for_bytes(descriptor):
        piece = read(CHUNK_BYTES)
        if piece:
            yield piece
        elif piece is not None:
            return
        # None: the descriptor is non-blocking, and another reader was faster.


def _has_buffered(file: io.BufferedReader) -> bool:
    """
    Return whether a pipe's reader has buffered bytes.

    `peek` reads if the buffer is empty, so the descriptor is non-blocking for a moment. Only pipes need this:
    files are always ready, and from a terminal a reader takes one line at a time.
    """
    descriptor = file.fileno()
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        return False
    is_blocking = os.get_blocking(descriptor)
    os.set_blocking(descriptor, False)
    try:
        return bool(file.peek(1))
    finally:
        os.set_blocking(descriptor, is_blocking)
