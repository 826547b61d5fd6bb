"""The engine that plays scripts."""

from __future__ import annotations

import struct

import pytest

from wasm_grpc.core.errors import ModuleError
from wasm_grpc.core.model import MIB, PAGE_BYTES
from wasm_grpc.engines.binary import read_module
from wasm_grpc.engines.fake import FakeEngine, write_fake
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.engines.protocol import (
    Context,
    FuncType,
    GuestExit,
    GuestFault,
    GuestTrap,
    HostFunction,
    HostModules,
    Instance,
)

WASI = "wasi_snapshot_preview1"


class _Streams(Context):
    __slots__ = ("stderr", "stdin", "stdout")

    def __init__(self, stdin: bytes = b"") -> None:
        self.stdin = stdin
        self.stdout = b""
        self.stderr = b""


def _read(context: _Streams, _fd: int, vector: int, _count: int, moved: int) -> int:
    memory = context.memory()
    place, size = struct.unpack_from("<II", memory, vector)
    chunk, context.stdin = context.stdin[:size], context.stdin[size:]
    memory[place : place + len(chunk)] = chunk
    struct.pack_into("<I", memory, moved, len(chunk))
    return 0


def _write(context: _Streams, descriptor: int, vector: int, _count: int, _moved: int) -> int:
    memory = context.memory()
    place, size = struct.unpack_from("<II", memory, vector)
    chunk = bytes(memory[place : place + size])
    if descriptor == 1:
        context.stdout += chunk
    else:
        context.stderr += chunk
    return 0


def _exit(_context: Context, code: int) -> None:
    raise GuestExit(code)


FOUR = FuncType(("i32",) * 4, ("i32",))
HOSTS: HostModules = {
    (WASI, "fd_read"): HostFunction(FOUR, _read),
    (WASI, "fd_write"): HostFunction(FOUR, _write),
    (WASI, "proc_exit"): HostFunction(FuncType(("i32",)), _exit),
}


def _instantiate(script: str, context: Context, *, hosts: HostModules = HOSTS) -> Instance:
    engine = FakeEngine()
    wasm = write_limits(write_fake(script), memory_bytes=MIB)
    return engine.load(engine.compile(wasm), hosts).instantiate(context, memory_bytes=MIB)


@pytest.mark.parametrize(
    ("script", "stdout", "stderr"),
    [
        ("echo", b"in", b""),
        ("print a b\nlog c", b"a b", b"c"),
        ("flood 70000", b"x" * 70_000, b""),
        ("", b"", b""),
    ],
    ids=["echo", "print", "flood", "nothing"],
)
def test_a_script_moves_bytes(script: str, stdout: bytes, stderr: bytes) -> None:
    """What a script writes goes through the host functions, as a guest's bytes do."""
    context = _Streams(b"in")

    results = _instantiate(script, context).call("_start")

    assert (results, context.stdout, context.stderr) == ((), stdout, stderr)


def test_a_script_exits() -> None:
    """The step ``exit`` ends the script with its code."""
    context = _Streams()

    with pytest.raises(GuestExit) as caught:
        _instantiate("exit 65\nprint late", context).call("_start")

    assert (caught.value.code, context.stdout) == (65, b"")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("trap", ("unreachable", False)),
        ("trap why", ("why", False)),
        ("taint", ("call stack exhausted", True)),
    ],
)
def test_a_script_traps(script: str, expected: tuple[str, bool]) -> None:
    """The steps ``trap`` and ``taint`` end the script as a guest's trap does."""
    with pytest.raises(GuestTrap) as caught:
        _instantiate(script, _Streams()).call("_start")

    assert (str(caught.value), caught.value.is_process_tainted) == expected


def test_memory_grows_within_its_limit() -> None:
    """The step ``grow`` obeys the limit that was written into the module."""
    instance = _instantiate("grow 15", _Streams())
    instance.call("_start")
    assert instance.memory_bytes() == 16 * PAGE_BYTES

    with pytest.raises(GuestTrap):
        instance.call("_start")

    assert instance.memory_bytes() == 16 * PAGE_BYTES


def test_a_failing_host_function_is_a_fault() -> None:
    """An exception of a host function comes out as on a real engine."""

    def fail(_context: Context, *_args: int) -> int:
        raise KeyError

    hosts = {**HOSTS, (WASI, "fd_write"): HostFunction(FOUR, fail)}

    with pytest.raises(GuestFault) as caught:
        _instantiate("print a", _Streams(), hosts=hosts).call("_start")

    assert isinstance(caught.value.__cause__, KeyError)


def test_a_fake_looks_like_a_command() -> None:
    """The module has the imports and exports of a small WASI command, with their types."""
    module = read_module(write_fake("echo"))

    assert {item.name: str(item.type) for item in module.imports} == {
        "fd_read": "(i32, i32, i32, i32) -> (i32)",
        "fd_write": "(i32, i32, i32, i32) -> (i32)",
        "proc_exit": "(i32) -> ()",
    }
    assert {item.name: str(item.type) for item in module.exports} == {"memory": "None", "_start": "() -> ()"}


@pytest.mark.parametrize("wasm", [b"\0asm\x01\0\0\0", write_fake("dance")], ids=["no-script", "unknown-step"])
def test_what_can_not_be_played_is_refused(wasm: bytes) -> None:
    """A module without a script, or with an unknown step, doesn't compile."""
    with pytest.raises(ModuleError):
        FakeEngine().compile(wasm)
