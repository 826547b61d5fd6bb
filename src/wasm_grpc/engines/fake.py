"""
An engine for tests: a module contains a short script, which Python executes.

`write_fake` makes the module: a valid core binary with the imports of a small WASI command, so that
checks and limits treat it like any other. A custom section holds the script. Each line of a script is a
step and its argument. Steps use the same host functions as a real guest:

* ``echo``: copy standard input to standard output, until its end.
* ``print TEXT``, ``log TEXT``: write text to standard output, to standard error.
* ``flood BYTES``: write that many bytes to standard output.
* ``grow PAGES``: grow the memory, trap if that fails.
* ``exit CODE``: end with ``proc_exit``.
* ``trap KIND``: end with a trap; ``taint KIND``: with one that taints the process.
* ``spin``: compute forever; ``hang``: wait forever; ``crash``: kill the process.
"""

from __future__ import annotations

import os
import signal
import struct
import threading
from collections.abc import Callable, Sequence

from wasm_grpc.core.errors import ModuleError
from wasm_grpc.core.model import PAGE_BYTES, EngineName
from wasm_grpc.engines.binary.cursor import Cursor, encode_u32
from wasm_grpc.engines.binary.module import SectionId, read_module
from wasm_grpc.engines.binary.rewrite import encode_section
from wasm_grpc.engines.protocol import (
    UNLIMITED_INSTANCES,
    Context,
    FuncType,
    GuestExit,
    GuestFault,
    GuestStop,
    GuestTrap,
    HostModules,
    Value,
)
from wasm_grpc.engines.running import empty_memory

__all__ = ["FakeEngine", "FakeInstance", "FakePrepared", "write_fake"]

_SECTION = b"wasm-grpc.fake"
_WASI = "wasi_snapshot_preview1"
_IMPORTS = (("fd_read", 0), ("fd_write", 0), ("proc_exit", 1))
_TYPES = (b"\x60\x04\x7f\x7f\x7f\x7f\x01\x7f", b"\x60\x01\x7f\x00", b"\x60\x00\x00")
"""(i32, i32, i32, i32) -> (i32); (i32) -> (); () -> ()."""

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_VECTOR, _COUNT, _BUFFER = 0, 8, 16
"""Addresses of an iovec, of the number of bytes copied, and of the bytes."""
_CHUNK_BYTES = 32 * 1024


def write_fake(script: str, *, pages: int = 1) -> bytes:
    """
    Return a module that runs `script`, with a memory of `pages` at first.
    """
    imports = [_encode_name(_WASI) + _encode_name(name) + b"\0" + encode_u32(kind) for name, kind in _IMPORTS]
    custom = encode_u32(len(_SECTION)) + _SECTION + script.encode()
    return b"".join(
        [
            b"\0asm\x01\0\0\0",
            encode_section(SectionId.TYPE, _TYPES),
            encode_section(SectionId.IMPORT, imports),
            encode_section(SectionId.FUNCTION, [b"\x02"]),
            encode_section(SectionId.MEMORY, [b"\0" + encode_u32(pages)]),
            encode_section(
                SectionId.EXPORT, [_encode_name("memory") + b"\x02\0", _encode_name("_start") + b"\0\x03"]
            ),
            encode_section(10, [b"\x02\0\x0b"]),
            bytes([SectionId.CUSTOM]) + encode_u32(len(custom)) + custom,
        ]
    )


class FakeEngine:
    """
    An `Engine` that runs scripts.
    """

    name = EngineName.FAKE.value
    version = "1"
    target = "any"
    limits_instances = False
    instances = UNLIMITED_INSTANCES

    def compile(self, wasm: bytes) -> bytes:
        """
        See `Engine.compile`. The artifact is the module itself.
        """
        _parse(_read_script(wasm))
        return wasm

    def load(self, artifact: bytes, hosts: HostModules) -> FakePrepared:
        """
        See `Engine.load`.
        """
        return FakePrepared(artifact, hosts)


class FakePrepared:
    """
    A `Prepared` for a script.
    """

    def __init__(self, artifact: bytes, hosts: HostModules) -> None:
        self.steps = _parse(_read_script(artifact))
        self.hosts = hosts
        (self.memory,) = read_module(artifact).memories

    def function_type(self, name: str) -> FuncType | None:
        """
        See `Prepared.function_type`.
        """
        return FuncType(()) if name == "_start" else None

    def instantiate(self, context: Context, *, memory_bytes: int) -> FakeInstance:  # noqa: ARG002 - protocol
        """
        See `Prepared.instantiate`.
        """
        return FakeInstance(self, context)


class FakeInstance:
    """
    An `Instance` for a script.
    """

    def __init__(self, prepared: FakePrepared, context: Context) -> None:
        self._prepared = prepared
        self._context = context
        self._memory = bytearray(prepared.memory.min_pages * PAGE_BYTES)
        context.memory = lambda: memoryview(self._memory)

    def start(self) -> None:
        """
        See `Instance.start`. A script has no start function.
        """

    def call(self, export: str, *args: Value) -> Sequence[Value]:
        """
        See `Instance.call`. The export ``_start`` runs the script.
        """
        if export != "_start" or args:
            raise GuestTrap(f"function {export!r} is missing; expected '_start' without arguments")
        for run_step, argument in self._prepared.steps:
            run_step(self, argument)
        return ()

    def memory_bytes(self) -> int:
        """
        See `Instance.memory_bytes`.
        """
        return len(self._memory)

    def close(self) -> None:
        """
        See `Instance.close`.
        """
        self._context.memory = empty_memory
        self._memory = bytearray()

    def echo(self, _argument: str) -> None:
        """
        Copy standard input to standard output, until its end.
        """
        while True:
            struct.pack_into("<II", self._memory, _VECTOR, _BUFFER, _CHUNK_BYTES)
            self._host("fd_read", _STDIN, _VECTOR, 1, _COUNT)
            (size,) = struct.unpack_from("<I", self._memory, _COUNT)
            if not size:
                return
            self._write(_STDOUT, bytes(self._memory[_BUFFER : _BUFFER + size]))

    def print(self, text: str) -> None:
        """
        Write text to standard output.
        """
        self._write(_STDOUT, text.encode())

    def log(self, text: str) -> None:
        """
        Write text to standard error.
        """
        self._write(_STDERR, text.encode())

    def flood(self, size: str) -> None:
        """
        Write that many bytes to standard output.
        """
        left = int(size)
        while left > 0:
            self._write(_STDOUT, b"x" * min(left, _CHUNK_BYTES))
            left -= _CHUNK_BYTES

    def grow(self, pages: str) -> None:
        """
        Grow the memory.
        """
        size = len(self._memory) + int(pages) * PAGE_BYTES
        limit = self._prepared.memory.max_pages
        if limit is not None and size > limit * PAGE_BYTES:
            raise GuestTrap("unreachable")
        self._memory = self._memory + bytes(size - len(self._memory))

    def exit(self, code: str) -> None:
        """
        End with ``proc_exit``.
        """
        self._host("proc_exit", int(code))

    def trap(self, kind: str) -> None:
        """
        End with a trap.
        """
        raise GuestTrap(kind or "unreachable")

    def taint(self, kind: str) -> None:
        """
        End with a trap that taints the process.
        """
        raise GuestTrap(kind or "call stack exhausted", is_process_tainted=True)

    def spin(self, _argument: str) -> None:
        """
        Compute forever.
        """
        while True:
            pass

    def hang(self, _argument: str) -> None:
        """
        Wait forever.
        """
        threading.Event().wait()

    def crash(self, _argument: str) -> None:
        """
        Kill the process, like a crash of the engine.
        """
        os.kill(os.getpid(), signal.SIGKILL)

    def _write(self, descriptor: int, text: bytes) -> None:
        for begin in range(0, len(text), _CHUNK_BYTES):
            chunk = text[begin : begin + _CHUNK_BYTES]
            self._memory[_BUFFER : _BUFFER + len(chunk)] = chunk
            struct.pack_into("<II", self._memory, _VECTOR, _BUFFER, len(chunk))
            self._host("fd_write", descriptor, _VECTOR, 1, _COUNT)

    def _host(self, name: str, *args: Value) -> None:
        try:
            self._prepared.hosts[_WASI, name].call(self._context, *args)
        except (GuestExit, GuestStop, GuestTrap):
            raise
        except Exception as exc:
            raise GuestFault(f"host function {_WASI}.{name} failed with {type(exc).__name__}") from exc


_Step = tuple[Callable[[FakeInstance, str], None], str]

_STEPS: dict[str, Callable[[FakeInstance, str], None]] = {
    step.__name__: step
    for step in (
        FakeInstance.echo,
        FakeInstance.print,
        FakeInstance.log,
        FakeInstance.flood,
        FakeInstance.grow,
        FakeInstance.exit,
        FakeInstance.trap,
        FakeInstance.taint,
        FakeInstance.spin,
        FakeInstance.hang,
        FakeInstance.crash,
    )
}


def _encode_name(name: str) -> bytes:
    return encode_u32(len(name)) + name.encode()


def _read_script(wasm: bytes) -> str:
    for section in read_module(wasm).sections:
        if section.id == SectionId.CUSTOM:
            cursor = Cursor(wasm, section.content, section.end)
            if cursor.name() == _SECTION.decode():
                return cursor.take(cursor.end - cursor.position).decode()
    raise ModuleError("module has no script; expected one made by write_fake")


def _parse(script: str) -> tuple[_Step, ...]:
    steps = []
    for line in script.splitlines():
        name, _, argument = line.strip().partition(" ")
        if name not in _STEPS:
            raise ModuleError(f"script has the step {name!r}; expected one of {', '.join(_STEPS)}")
        steps.append((_STEPS[name], argument))
    return tuple(steps)
