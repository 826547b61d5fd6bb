"""``wasi_unstable``: preview 1 as it was before, on every engine."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from wasm_grpc.core.model import MIB, GuestKind, Limits, Mount, Reason
from wasm_grpc.engines.binary import read_module
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.hosts.wasi.context import encode_strings
from wasm_grpc.hosts.wasi.mounts import FileSystem
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr

Assemble = Callable[[str], bytes]

GUEST = guest_for(GuestKind.WASI_COMMAND)
LIMITS = Limits(memory_bytes=MIB)

# Writes what it found: errnos from 3000 on, attributes at 3200 and 3264, offsets at 3400, an event at 3500.
MODULE = r"""(module
  (import "wasi_unstable" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_unstable" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_unstable" "fd_filestat_get" (func $stat (param i32 i32) (result i32)))
  (import "wasi_unstable" "path_filestat_get" (func $stat_path (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_unstable" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_unstable" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 3000))
  (data (i32.const 1000) "a.txt")
  (data (i32.const 2000)
    "\07\00\00\00\00\00\00\00" "\00\00\00\00\00\00\00\00" "\63\00\00\00\00\00\00\00"
    "\01\00\00\00\00\00\00\00" "\00\2d\31\01\00\00\00\00" "\00\00\00\00\00\00\00\00")
  (func $note (param i32)
    (i32.store (global.get $next) (local.get 0))
    (global.set $next (i32.add (global.get $next) (i32.const 4))))
  (func (export "_start")
    (memory.fill (i32.const 3200) (i32.const 0xee) (i32.const 128))
    (call $note (call $open (i32.const 3) (i32.const 0) (i32.const 1000) (i32.const 5)
      (i32.const 0) (i64.const 0x200006) (i64.const 0) (i32.const 0) (i32.const 3100)))
    (call $note (call $stat (i32.load (i32.const 3100)) (i32.const 3200)))
    (call $note (call $stat_path (i32.const 3) (i32.const 1) (i32.const 1000) (i32.const 5) (i32.const 3264)))
    (call $note (call $seek (i32.load (i32.const 3100)) (i64.const 0) (i32.const 1) (i32.const 3400)))
    (call $note (call $seek (i32.load (i32.const 3100)) (i64.const 5) (i32.const 2) (i32.const 3408)))
    (call $note (call $seek (i32.load (i32.const 3100)) (i64.const 3) (i32.const 0) (i32.const 3416)))
    (call $note (call $seek (i32.load (i32.const 3100)) (i64.const 3) (i32.const 3) (i32.const 3424)))
    (call $note (call $poll (i32.const 2000) (i32.const 3500) (i32.const 1) (i32.const 3600)))
    (i32.store (i32.const 0) (i32.const 3000))
    (i32.store (i32.const 4) (i32.const 604))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))
"""
EINVAL, FILE, CLOCK = 28, 4, 0


def test_what_differs_from_preview_1(engine: Engine, assemble: Assemble, mounts: Sequence[Mount]) -> None:
    """The order of whence, the links' 32 bits and the clock's own name are as they were."""
    wasm = assemble(MODULE)
    prepared = engine.load(engine.compile(write_limits(wasm, memory_bytes=MIB)), GUEST.hosts)
    call = GuestCall(
        args=encode_strings(("guest",)),
        env=b"",
        stdin=BytesStdin(b""),
        stdout=CollectedStdout(None),
        stderr=Stderr(1000),
        limits=LIMITS,
        preopens=FileSystem(mounts, scratch_bytes=0).preopens(),
    )

    outcome = GUEST.ready(prepared, LIMITS).run(call).outcome

    assert GUEST.check(read_module(wasm)) == []
    assert outcome.reason is Reason.OK, outcome
    size = next(each.size for each in mounts[0].entries if each.path == "a.txt")
    stats = [struct.unpack_from("<16xB3xIQ", outcome.body, at) for at in (200, 264)]
    assert struct.unpack_from("<8I", outcome.body) == (0, 0, 0, 0, 0, 0, EINVAL, 0)
    assert stats == [(FILE, 1, size)] * 2
    assert [outcome.body[at : at + 8] for at in (256, 320)] == [b"\xee" * 8] * 2  # 56 bytes each
    assert struct.unpack_from("<3Q", outcome.body, 400) == (size, 5, 8)  # from the end, the start, the place
    assert struct.unpack_from("<QHB", outcome.body, 500) == (7, 0, CLOCK)
    assert struct.unpack_from("<I", outcome.body, 600) == (1,)
