"""``wasm-grpc invoke --stream``: stream a body to a function and its result back."""

from __future__ import annotations

import argparse
import contextlib
import io
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

from wasm_grpc.cli.callee import DEFAULT_ADDRESS, Callee
from wasm_grpc.cli.progress import Progress
from wasm_grpc.cli.results import Result, result_at
from wasm_grpc.client import FunctionError, FunctionsClient
from wasm_grpc.core.errors import ConfigError

__all__ = ["stream"]

_LOOK_S = 0.1
"""Longest time until Ctrl-C is noticed."""
_GRACE_S = 0.5
"""Time after Ctrl-C to write the chunks that arrived before it."""


def stream(options: argparse.Namespace, callee: Callee, stdout: TextIO, stderr: TextIO) -> int:
    """
    Call the method. If the call fails, print one line ``CODE: message`` and return 1.

    Raises:
        ConfigError: A file can't be read or written, or the address is invalid.
        HostError: The result can't be written.
        BrokenPipeError: Nobody reads standard output any more.
    """
    body = _Body(options.data)
    # Don't draw progress on a terminal where the user types the body or the result is shown.
    is_shown = stderr.isatty() and not (body.isatty() or (options.output is None and stdout.isatty()))
    address = options.address or ("" if callee.app_id else DEFAULT_ADDRESS)
    with body, FunctionsClient(callee.app_id, address=address, token=callee.token) as functions:
        result = result_at(options.output, stdout)
        try:
            result.open()
            with Progress(stderr, lambda: body.taken, is_shown=is_shown) as progress:
                _CallThread(functions, options, body, result, progress).finish()
        except FunctionError as exc:
            part = result.close()
            line = callee.failure_line(exc.code, exc.message)
            print(f"{line}; the partial result is in {part}" if part else line, file=stderr)
            return 1
        finally:
            result.close()
    return 0


class _Body(io.FileIO):
    """
    The file with the body, or standard input, read as data arrives.

    Attributes:
        taken: Number of bytes read so far.
    """

    def __init__(self, name: str) -> None:
        """
        Open the body.

        Raises:
            ConfigError: It can't be opened.
        """
        self._shown = f"--data {name}"
        self.taken = 0
        try:
            if name != "-":
                super().__init__(name)
            elif sys.stdin is None:
                super().__init__("/dev/null")
            else:
                super().__init__(sys.stdin.fileno(), closefd=False)
        except OSError as exc:
            raise ConfigError(f"{self._shown}: {exc.strerror}; expected a readable file") from exc

    def read(self, size: int | None = -1, /) -> bytes:
        """
        See `io.FileIO.read`.

        Raises:
            ConfigError: It can't be read.
        """
        try:
            piece = super().read(size)
        except OSError as exc:
            raise ConfigError(f"{self._shown}: {exc.strerror}; expected a readable file") from exc
        self.taken += len(piece or b"")
        return piece


class _CallThread(threading.Thread):
    """
    Runs the call on a separate thread, while the main thread waits for it or for Ctrl-C.

    A KeyboardInterrupt can be raised anywhere. Inside gRPC it may leave a lock held, on which the call then
    waits forever (seen in one of forty runs, on a busy machine). So here Ctrl-C only sets a flag.
    """

    def __init__(
        self,
        functions: FunctionsClient,
        options: argparse.Namespace,
        body: _Body,
        result: Result,
        progress: Progress,
    ) -> None:
        super().__init__(daemon=True)
        self._functions = functions
        self._options = options
        self._body = body
        self._result = result
        self._progress = progress
        self._failure: BaseException | None = None

    def run(self) -> None:
        """
        Run the call until it ends.
        """
        try:
            self._copy()
        except BaseException as exc:  # noqa: BLE001 - `finish` raises it
            self._failure = exc

    def finish(self) -> None:
        """
        Start the call and wait for its end. Raise the error with which it failed.
        """
        with _recorded_ctrl_c() as was_pressed:
            self.start()
            # With a timeout: an endless wait would miss a signal that arrives just before it.
            while self.is_alive() and not was_pressed():
                self.join(_LOOK_S)
            if was_pressed():
                self._functions.close()
                # The thread may still be blocked on the reader of the result. Don't wait for that.
                self.join(_GRACE_S)
                raise KeyboardInterrupt
        if self._failure is not None:
            raise self._failure

    def _copy(self) -> None:
        options = self._options
        with self._functions.stream(
            options.method,
            self._body,
            verb=options.verb,
            query=options.query,
            content_type=options.content_type,
            metadata=options.header,
            timeout_s=options.timeout,
        ) as chunks:
            for chunk in chunks:
                self._result.write(chunk)
                self._progress.received += len(chunk)
        self._result.complete()


@contextlib.contextmanager
def _recorded_ctrl_c() -> Iterator[Callable[[], bool]]:
    """
    Record Ctrl-C instead of raising KeyboardInterrupt. Yields a function that tells if it was pressed.
    """
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    is_raised = before is signal.default_int_handler and threading.current_thread() is threading.main_thread()
    if is_raised:
        signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield lambda: bool(pressed)
    finally:
        if is_raised:
            signal.signal(signal.SIGINT, before)
