"""
What output and files cost inside a worker: ``python -m benchmarks.file_cost ENGINE``.

Runs in this process, under a worker's interpreter; prints a JSON object of `FILE_COSTS`.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from wasm_grpc.core.model import MIB, EngineName, GuestKind, Limits, Mount, MountEntry
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.engines.protocol import Engine, Prepared
from wasm_grpc.engines.registry import open_engine
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.hosts.wasi.context import encode_strings
from wasm_grpc.hosts.wasi.mounts import FileSystem
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr

__all__ = ["FILE_COSTS"]

FILE_COSTS = ("standard output", "scratch file", "without a guest", "1,000 granted files")
"""MB/s of 4 KiB pieces, three times; then the time of an echo that is granted files, of one that isn't."""

_PIECE_BYTES = 4096
_PIECES = 25_000
_WRITES = 5
_ECHOES = 1000
_ECHO = "functions/echo/echo.wasm"
_FILES = 1000

_LIMITS = Limits(memory_bytes=MIB, output_bytes=None, scratch_bytes=256 * MIB)
_GUEST = guest_for(GuestKind.WASI_COMMAND)

# The first open folder is /tmp. oflags 1 creates, rights 64 lets write; what was opened is put at 16.
_TO_FILE = """
(drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 32) (i32.const 4)
  (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 16)))
(local.set $fd (i32.load (i32.const 16)))
"""
_TO_STDOUT = "(local.set $fd (i32.const 1))"
_WRITER = """
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\00\\10\\00\\00\\00\\10\\00\\00")
  (data (i32.const 32) "file")
  (func (export "_start") (local $fd i32) (local $left i32)
    {open}
    (local.set $left (i32.const {pieces}))
    (loop $next
      (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $next (local.get $left)))))
"""


def _main(engine_name: str) -> None:
    engine = open_engine(EngineName(engine_name))
    to_wasm = importlib.import_module(engine_name).wat2wasm
    values = [_rate(_writer(engine, to_wasm, to)) for to in (_TO_STDOUT, _TO_FILE)]
    values += [_rate(_write_to_memory), _grant_ratio(engine)]
    print(json.dumps(dict(zip(FILE_COSTS, values, strict=True))))


def _writer(engine: Engine, to_wasm: Callable[[str], bytes], to: str) -> Callable[[], None]:
    prepared = _prepare(engine, bytes(to_wasm(_WRITER.format(open=to, pieces=_PIECES))))
    files = FileSystem((), scratch_bytes=_LIMITS.scratch_bytes)
    return lambda: _call(prepared, files, b"")


def _write_to_memory() -> None:
    collected = io.BytesIO()
    piece = memoryview(bytes(_PIECE_BYTES))
    for _ in range(_PIECES):
        collected.write(piece)


def _rate(write_all: Callable[[], None]) -> float:
    """Median MB/s."""
    return _PIECES * _PIECE_BYTES / 1e6 / statistics.median(_seconds(write_all) for _ in range(_WRITES))


def _grant_ratio(engine: Engine) -> float:
    """Time of an echo with the grant to that of one without, in turns: the median of the ratios."""
    prepared = _prepare(engine, Path(_ECHO).read_bytes())
    bare = FileSystem((), scratch_bytes=_LIMITS.scratch_bytes)
    with tempfile.TemporaryDirectory() as folder:
        granted = FileSystem((_mount(Path(folder)),), scratch_bytes=_LIMITS.scratch_bytes)
    body = bytes(64)
    pairs = [
        (_seconds(lambda: _call(prepared, granted, body)), _seconds(lambda: _call(prepared, bare, body)))
        for _ in range(_ECHOES)
    ]
    return statistics.median(with_grant / without for with_grant, without in pairs)


def _mount(folder: Path) -> Mount:
    entries = []
    for number in range(_FILES):
        path, content = folder / f"{number}.txt", str(number).encode()
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        entries.append(MountEntry(path=path.name, host=str(path), size=len(content), sha256=digest))
    return Mount(guest="/files", entries=tuple(entries))


def _prepare(engine: Engine, wasm: bytes) -> Prepared:
    limited = write_limits(wasm, memory_bytes=_LIMITS.memory_bytes)
    return engine.load(engine.compile(limited), _GUEST.hosts)


def _call(prepared: Prepared, files: FileSystem, body: bytes) -> None:
    ending = _GUEST.ready(prepared, _LIMITS).run(
        GuestCall(
            args=encode_strings(("guest",)),
            env=b"",
            stdin=BytesStdin(body),
            stdout=CollectedStdout(_LIMITS.output_bytes),
            stderr=Stderr(_LIMITS.stderr_bytes),
            limits=_LIMITS,
            preopens=files.preopens(),
        )
    )
    if ending.outcome.message:
        raise RuntimeError(ending.outcome.message)


def _seconds(act: Callable[[], None]) -> float:
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


if __name__ == "__main__":
    _main(*sys.argv[1:])
