"""A command run with standard input in pieces of the test's choosing: each read gives the guest one of them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import wasmtime

__all__ = ["Ran", "run_in_chunks"]

_WASI = "wasi_snapshot_preview1"
_ENGINE = wasmtime.Engine()
_I32 = wasmtime.ValType.i32
_STDIN, _STDOUT, _STDERR = 0, 1, 2


@dataclass(frozen=True)
class Ran:
    """What a command wrote, and how far each piece took it."""

    code: int
    written: list[bytes]
    """What was written between one read and the next; at first what was before any."""
    stderr: str
    memory_bytes: int

    @property
    def stdout(self) -> bytes:
        """All that was written."""
        return b"".join(self.written)


class _ExitError(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Host:
    """The few calls that a command needs which has nothing but its streams and its environment."""

    def __init__(self, pieces: Iterable[bytes], env: Mapping[str, str]) -> None:
        self.written = [b""]
        self.stderr = b""
        self._pieces = iter(pieces)
        self._left = b""
        self._env = [f"{name}={value}\0".encode() for name, value in env.items()]

    def fd_read(self, caller: wasmtime.Caller, fd: int, vectors: int, count: int, size: int) -> int:
        assert (fd, count) == (_STDIN, 1)
        memory = _memory(caller)
        at, room = _numbers(memory, caller, vectors, 2)
        while not self._left and (piece := next(self._pieces, None)) is not None:
            self._left = piece
        piece, self._left = self._left[:room], self._left[room:]
        self.written.append(b"")
        memory.write(caller, piece, at)
        memory.write(caller, len(piece).to_bytes(4, "little"), size)
        return 0

    def fd_write(self, caller: wasmtime.Caller, fd: int, vectors: int, count: int, size: int) -> int:
        memory = _memory(caller)
        numbers = _numbers(memory, caller, vectors, 2 * count)
        chunk = b"".join(
            bytes(memory.read(caller, at, at + length))
            for at, length in zip(numbers[::2], numbers[1::2], strict=True)
        )
        if fd == _STDERR:
            self.stderr += chunk
        else:
            assert fd == _STDOUT
            self.written[-1] += chunk
        memory.write(caller, len(chunk).to_bytes(4, "little"), size)
        return 0

    def environ_sizes_get(self, caller: wasmtime.Caller, count: int, size: int) -> int:
        sizes = len(self._env), sum(map(len, self._env))
        for at, number in zip((count, size), sizes, strict=True):
            _memory(caller).write(caller, number.to_bytes(4, "little"), at)
        return 0

    def environ_get(self, caller: wasmtime.Caller, pointers: int, at: int) -> int:
        for index, variable in enumerate(self._env):
            _memory(caller).write(caller, at.to_bytes(4, "little"), pointers + 4 * index)
            _memory(caller).write(caller, variable, at)
            at += len(variable)
        return 0

    def proc_exit(self, caller: wasmtime.Caller, code: int) -> None:
        raise _ExitError(code)


def run_in_chunks(file: Path, pieces: Iterable[bytes], env: Mapping[str, str] | None = None) -> Ran:
    """Run the command to its end; a piece of more than it has room for takes it several reads."""
    module = _compiled(file)
    host = _Host(pieces, env or {})
    linker, store = wasmtime.Linker(_ENGINE), wasmtime.Store(_ENGINE)
    for wanted in module.imports:
        assert wanted.module == _WASI
        assert isinstance(wanted.type, wasmtime.FuncType)
        linker.define_func(
            _WASI, wanted.name or "", wanted.type, getattr(host, wanted.name or ""), access_caller=True
        )
    exports = linker.instantiate(store, module).exports(store)
    start, memory = exports["_start"], exports["memory"]
    assert isinstance(start, wasmtime.Func)
    assert isinstance(memory, wasmtime.Memory)
    code = 0
    try:
        start(store)
    except _ExitError as end:
        code = end.code
    return Ran(code, host.written, host.stderr.decode(), memory.data_len(store))


@functools.cache
def _compiled(file: Path) -> wasmtime.Module:
    return wasmtime.Module.from_file(_ENGINE, str(file))


def _memory(caller: wasmtime.Caller) -> wasmtime.Memory:
    memory = caller["memory"]
    assert isinstance(memory, wasmtime.Memory)
    return memory


def _numbers(memory: wasmtime.Memory, caller: wasmtime.Caller, at: int, count: int) -> list[int]:
    record = memory.read(caller, at, at + 4 * count)
    return [int.from_bytes(record[place : place + 4], "little") for place in range(0, 4 * count, 4)]
