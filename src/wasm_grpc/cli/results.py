"""Where a result goes as it comes: standard output, or a file that gets its name once it is whole."""

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
    Takes a result, chunk by chunk.
    """

    def open(self) -> None:
        """
        Get ready; to be closed also after a failure.

        Raises:
            ConfigError: It can't be written.
        """

    def write(self, chunk: bytes) -> None:
        """
        Hand on a chunk, at once.

        Raises:
            HostError: It can't be written.
        """

    def complete(self) -> None:
        """
        Take the end of a result that is whole.
        """

    def close(self) -> str:
        """
        Let go of it; gives the name of the file in which a part of it is, else "".
        """


class StandardOutput:
    """
    The result goes to whoever reads this command's output. `write` raises BrokenPipeError once nobody does.
    """

    def __init__(self, stdout: TextIO) -> None:
        stdout.flush()
        # What a buffer has left at an error would be written again, in vain, when the process ends.
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
    The result is written beside the file, to ``FILE.part``, which takes its place once it is whole.

    So what is there under the file's name is never a part, and what was there before stays until then.
    A pipe or a device has no place to take; it is written to.
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
            # A link stays one. A loop of links is a RuntimeError up to CPython 3.12.
            self._path = self._part = Path(self._name).resolve()
            is_file = self._path.is_file()
            if is_file:
                # Whoever may not write the file may not replace it either.
                self._path.open("ab").close()
            if is_file or not self._path.exists():
                self._part = self._path.with_name(f"{self._path.name}.part")
            self._file = io.FileIO(self._part, "w")
            if is_file:
                shutil.copymode(self._path, self._part)
        except OSError as exc:
            self._part = self._path
            raise ConfigError(f"--output {self._name}: {exc.strerror}") from exc
        except RuntimeError as exc:
            raise ConfigError(f"--output {self._name}: {os.strerror(errno.ELOOP)}") from exc

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
            raise RuntimeError("result: it is not open")
        return self._file


def result_at(name: str | None, stdout: TextIO) -> Result:
    """
    Return the place of a result: a file by its name, or standard output.
    """
    return StandardOutput(stdout) if name is None else FileResult(name)


def _write_all(file: BinaryIO | io.RawIOBase, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        written = file.write(rest)
        if written is None:
            # It doesn't block, and has no room now.
            select.select([], [file], [])
        else:
            rest = rest[written:]
