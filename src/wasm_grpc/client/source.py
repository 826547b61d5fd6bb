"""Where a body comes from: its pieces, each as soon as it is there, until there is no more use for them."""

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
    A binary file, or what reads like one.
    """

    def read(self, size: int, /) -> bytes | None:
        """
        Return at most `size` bytes, b"" at the end.
        """


Body = Piece | Readable | Iterable[Piece]
"""Bytes at once, a binary file that is read as it comes, or pieces of any size."""


class Source:
    """
    The pieces of a body. One thread iterates over it, once; any may call `stop`.

    A wait for a pipe, a terminal or a socket ends at `stop`: the thread would else stay, and CPython
    aborts if, at its own end, another thread still reads from standard input (seen on 3.11).
    What else blocks, such as a generator that waits for something, ends with its next piece.
    """

    def __init__(self, body: object) -> None:
        """
        Look at a body without reading from it.

        Raises:
            TypeError: It is none.
        """
        if isinstance(body, str) or not (hasattr(body, "read") or isinstance(body, Iterable)):
            raise TypeError(
                f"body: it is {type(body).__name__}; expected bytes, a binary file or an iterable of bytes"
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
        End the iteration, and the wait for what comes next; may be called again.
        """
        self._wait.end()


class _Wait:
    """
    Waits for what can be read from a descriptor, until another thread ends that.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Both ends of a pipe: what waits at the one sees the other being closed.
        self._wake: list[int] = []
        self.is_over = False

    def for_bytes(self, descriptor: int) -> bool:
        """
        Return once something, or the end, can be read; False if the wait was ended before.
        """
        with self._lock:
            if self.is_over:
                return False
            if not self._wake:
                self._wake = list(os.pipe())
            woken = self._wake[0]
        poll = select.poll()
        poll.register(woken, select.POLLIN)
        poll.register(descriptor, select.POLLIN)
        return all(each != woken for each, _ in poll.poll())

    def end(self) -> None:
        """
        End the wait, and every later one; doesn't block.
        """
        with self._lock:
            self.is_over = True
            if len(self._wake) > 1:
                os.close(self._wake.pop())

    def close(self) -> None:
        """
        Return back what waiting took; called by who waits.
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
    # Others may hold more than their descriptor shows: it says nothing about when to read.
    if isinstance(body, Iterable) and not hasattr(body, "read"):
        return iter(body)
    return _read(getattr(body, "read1", None) or getattr(body, "read"))  # noqa: B009 - it may be either


def _read(read: Callable[[int], Piece | None]) -> Iterator[Piece]:
    while (piece := read(CHUNK_BYTES)) != b"":
        yield piece  # type: ignore[misc] # whoever cuts it refuses what is no bytes


def _read_buffered(file: io.BufferedReader, wait: _Wait) -> Iterator[Piece]:
    if _has_ahead(file):
        yield file.read1(CHUNK_BYTES)
    # From here on it holds nothing: a read of more than its buffer goes past that.
    yield from _read_ready(file.read1, file.fileno(), wait)


def _read_ready(read: Callable[[int], bytes | None], descriptor: int, wait: _Wait) -> Iterator[Piece]:
    while wait.for_bytes(descriptor):
        piece = read(CHUNK_BYTES)
        if piece:
            yield piece
        elif piece is not None:
            return
        # None: it doesn't block, and somebody else was faster.


def _has_ahead(file: io.BufferedReader) -> bool:
    """
    Say whether a pipe's reader has taken bytes from it that it hasn't given yet.

    Only a look into its buffer tells, which reads where that is empty; so for this moment it may not wait.
    A file is always ready, and of a terminal a reader takes a line at a time.
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
