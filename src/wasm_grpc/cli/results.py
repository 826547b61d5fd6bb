"""Write a streamed result to standard output, or to a file that gets its name once it is complete."""

from __future__ import annotations

import errno
import io
import os
import select
import shutil
from pathlib import Path
from typing import BinaryIO, Protocol, TextIO

from wasm_grpc.core.errors import ConfigError, HostError

__all__ = ["FileResult", "Result", "StandardOutput", "result_at"]


class Result(Protocol):
    """
    A destination for a result, written chunk by chunk.
    """

    def open(self) -> None:
        """
        Prepare for writing. Call `close` afterwards, even after a failure.

        Raises:
            ConfigError: The destination can't be written.
        """

    def write(self, chunk: bytes) -> None:
        """
        Write a chunk without buffering.

        Raises:
            HostError: The chunk can't be written.
        """

    def complete(self) -> None:
        """
        Finish a result that is complete.
        """

    def close(self) -> str:
        """
        Release resources. Return the name of the file with a partial result, or "" if there is none.
        """


class StandardOutput:
    """
    Writes the result to standard output. `write` raises BrokenPipeError once nobody reads it.
    """

    def __init__(self, stdout: TextIO) -> None:
        stdout.flush()
        # Unbuffered: after a write error the interpreter would try to write a buffer's rest again at exit.
        self._file: BinaryIO | io.RawIOBase = getattr(stdout.buffer, "raw", stdout.buffer)

    def open(self) -> None:
        """
        See `Result.open`.
        """

    def write(self, chunk: bytes) -> None:
        """
        See `Result.write`.
        """
        try:
            _write_all(self._file, chunk)
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise HostError(f"standard output: {exc.strerror}") from exc

    def complete(self) -> None:
        """
        See `Result.complete`.
        """

    def close(self) -> str:
        """
        See `Result.close`.
        """
        return ""


class FileResult:
    """
    Writes the result to ``FILE.part``, which replaces the file once it is complete.

    So the file never has a partial result, and keeps its old content until then. Pipes and devices are
    written directly.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._path = self._part = Path(name)
        self._file: io.FileIO | None = None
        self._size = 0

    def open(self) -> None:
        """
        See `Result.open`.
        """
        try:
            # Resolved, so that a link stays a link. Up to CPython 3.12 a loop of links is a RuntimeError.
            self._path = self._part = Path(self._name).resolve()
            is_file = self._path.is_file()
            if is_file:
                # Fail if this user may not write the file, even though the folder would allow to replace it.
                self._path.open("ab").close()
            if is_file or not self._path.exists():
                self._part = self._path.with_name(f"{self._path.name}.part")
            self._file = io.FileIO(self._part, "w")
            if is_file:
                # Replacing the file must not change its permissions.
                shutil.copymode(self._path, self._part)
        except OSError as exc:
            self._part = self._path
            raise ConfigError(f"--output {self._name}: {exc.strerror}; expected a writable file") from exc
        except RuntimeError as exc:
            reason = os.strerror(errno.ELOOP)
            raise ConfigError(f"--output {self._name}: {reason}; expected a writable file") from exc

    def write(self, chunk: bytes) -> None:
        """
        See `Result.write`.
        """
        try:
            _write_all(self._opened(), chunk)
        except OSError as exc:
            raise HostError(f"--output {self._name}: {exc.strerror}") from exc
        self._size += len(chunk)

    def complete(self) -> None:
        """
        See `Result.complete`.
        """
        self._opened().close()
        if self._part != self._path:
            self._part.replace(self._path)
            self._part = self._path

    def close(self) -> str:
        """
        See `Result.close`.
        """
        if self._file is not None:
            self._file.close()
        if self._part == self._path:
            return ""
        if self._size:
            return f"{self._name}.part"
        self._part.unlink(missing_ok=True)
        return ""

    def _opened(self) -> io.FileIO:
        if self._file is None:
            raise RuntimeError("result is not open")
        return self._file


def result_at(name: str | None, stdout: TextIO) -> Result:
    """
    Return the destination of a result: a file, or standard output if there is no name.
    """
    return StandardOutput(stdout) if name is None else FileResult(name)


def _write_all(file: BinaryIO | io.RawIOBase, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        written = file.write(rest)
        if written is None:
            # Non-blocking and full now: wait.
            select.select([], [file], [])
        else:
            rest = rest[written:]
