"""Small guests in WebAssembly's text format, and folders of functions made of them."""

from __future__ import annotations

import functools
from pathlib import Path

import wasmtime

__all__ = ["GUESTS", "assemble", "write_function", "write_functions"]

_IMPORTS = """
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_fdstat_set_flags" (func $set_flags (param i32 i32) (result i32)))
  (memory (export "memory") 4)
  (data (i32.const 64) "no picture: expected a PNG\\n")
  (data (i32.const 128) "done")
  (data (i32.const 160) "beat\\n")
  (data (i32.const 640) "Content-Type: text/csv\\nX-Tag: a\\nX-Tag: b\\nStatus: 201\\n\\n")
"""
_INFERENCE = """
  (import "wasi_ephemeral_nn" "load" (func $load (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "load_by_name" (func $by_name (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "init_execution_context" (func $begin (param i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "set_input" (func $set_input (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
  (import "wasi_ephemeral_nn" "get_output" (func $output (param i32 i32 i32 i32 i32) (result i32)))
"""
# 256: a tensor's record, its one dimension and "default"; 320: a graph; 324: a context.
# Each errno that is no success is the exit code.
_INFERENCE_FUNCTIONS = """
  (data (i32.const 256) "\\14\\01\\00\\00\\01\\00\\00\\00\\04\\00\\00\\00\\00\\00\\01\\00\\04\\00\\00\\00")
  (data (i32.const 276) "\\01\\00\\00\\00default")
  (func $try (param $errno i32) (if (local.get $errno) (then (call $proc_exit (local.get $errno)))))
  (func $infer
    (call $try (call $begin (i32.load (i32.const 320)) (i32.const 324)))
    (call $try (call $set_input (i32.load (i32.const 324)) (i32.const 0) (i32.const 256)))
    (call $try (call $compute (i32.load (i32.const 324))))
    (call $try (call $output (i32.load (i32.const 324)) (i32.const 0) (i32.const 128) (i32.const 4)
      (i32.const 8)))
    (call $write (i32.const 1) (i32.const 128) (i32.const 4)))
"""

# Address 0: one iovec. 8: a size or count. 16: a time. 64: texts. 192: a subscription, 256: its event, of poll.
# 65536: a buffer of 64 KiB.

_FUNCTIONS = """
  (func $write (param $fd i32) (param $at i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $size))
    (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func $read (result i32)
    (i32.store (i32.const 0) (i32.const 65536))
    (i32.store (i32.const 4) (i32.const 65536))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.load (i32.const 8)))
  (func $now (result i64)
    (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 16)))
    (i64.load (i32.const 16)))
"""

GUESTS = {
    # Standard input to standard output.
    "echo": """
      (local $n i32)
      (loop $more
        (local.set $n (call $read))
        (if (local.get $n) (then
          (call $write (i32.const 1) (i32.const 65536) (local.get $n))
          (br $more))))""",
    "spin": "(loop $ever (br $ever))",
    # Computes for 800 ms, then says "done".
    "work": """
      (local $end i64)
      (local.set $end (i64.add (call $now) (i64.const 800000000)))
      (loop $more (br_if $more (i64.lt_u (call $now) (local.get $end))))
      (call $write (i32.const 1) (i32.const 128) (i32.const 4))""",
    # Takes memory until it is refused, as a C program that doesn't look would.
    "allocate": """
      (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      (unreachable)""",
    "flood-stdout": "(loop $ever (call $write (i32.const 1) (i32.const 65536) (i32.const 65536)) (br $ever))",
    # 64 MiB of standard error, then "done".
    "flood-stderr": """
      (local $n i32)
      (loop $more
        (call $write (i32.const 2) (i32.const 65536) (i32.const 65536))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $n) (i32.const 1024))))
      (call $write (i32.const 1) (i32.const 128) (i32.const 4))""",
    # Exits with the first byte of its input as the code, after a sentence on standard error.
    "exit": """
      (drop (call $read))
      (call $write (i32.const 2) (i32.const 64) (i32.const 27))
      (call $proc_exit (i32.load8_u (i32.const 65536)))""",
    "exit-300": "(call $proc_exit (i32.const 300))",
    "reject": "(call $proc_exit (i32.const 65))",
    "trap": "(unreachable)",
    # Does what its input begins with: r(ejects), f(ails), t(raps), s(pins), w(orks for 800 ms); then echoes.
    "act": """
      (local $n i32) (local $first i32) (local $end i64)
      (local.set $n (call $read))
      (local.set $first (i32.load8_u (i32.const 65536)))
      (if (i32.eq (local.get $first) (i32.const 0x72)) (then
        (call $write (i32.const 2) (i32.const 64) (i32.const 27))
        (call $proc_exit (i32.const 65))))
      (if (i32.eq (local.get $first) (i32.const 0x66)) (then (call $proc_exit (i32.const 1))))
      (if (i32.eq (local.get $first) (i32.const 0x74)) (then (unreachable)))
      (if (i32.eq (local.get $first) (i32.const 0x73)) (then (loop $ever (br $ever))))
      (if (i32.eq (local.get $first) (i32.const 0x77)) (then
        (local.set $end (i64.add (call $now) (i64.const 800000000)))
        (loop $more (br_if $more (i64.lt_u (call $now) (local.get $end))))))
      (call $write (i32.const 1) (i32.const 65536) (local.get $n))""",
    # Echoes each piece of its input and does what the piece begins with: r(ejects), f(ails), t(raps), s(pins),
    # e(nds), m (takes memory until it is refused), o (writes for ever), w(orks for 800 ms).
    "obey": """
      (local $n i32) (local $first i32) (local $end i64)
      (loop $more
        (local.set $n (call $read))
        (if (i32.eqz (local.get $n)) (then (return)))
        (call $write (i32.const 1) (i32.const 65536) (local.get $n))
        (local.set $first (i32.load8_u (i32.const 65536)))
        (if (i32.eq (local.get $first) (i32.const 0x72)) (then
          (call $write (i32.const 2) (i32.const 64) (i32.const 27))
          (call $proc_exit (i32.const 65))))
        (if (i32.eq (local.get $first) (i32.const 0x66)) (then
          (call $write (i32.const 2) (i32.const 64) (i32.const 27))
          (call $proc_exit (i32.const 3))))
        (if (i32.eq (local.get $first) (i32.const 0x74)) (then (unreachable)))
        (if (i32.eq (local.get $first) (i32.const 0x73)) (then (loop $ever (br $ever))))
        (if (i32.eq (local.get $first) (i32.const 0x65)) (then (return)))
        (if (i32.eq (local.get $first) (i32.const 0x6d)) (then
          (loop $grow (br_if $grow (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
          (unreachable)))
        (if (i32.eq (local.get $first) (i32.const 0x6f)) (then
          (loop $ever (call $write (i32.const 1) (i32.const 65536) (i32.const 65536)) (br $ever))))
        (if (i32.eq (local.get $first) (i32.const 0x77)) (then
          (local.set $end (i64.add (call $now) (i64.const 800000000)))
          (loop $work (br_if $work (i64.lt_u (call $now) (local.get $end))))))
        (br $more))""",
    # Says "done" and reads nothing.
    "deaf": "(call $write (i32.const 1) (i32.const 128) (i32.const 4))",
    # The JSON text [1].
    "array": """
      (i32.store (i32.const 128) (i32.const 0x5d315b))
      (call $write (i32.const 1) (i32.const 128) (i32.const 3))""",
    # Writes 64 MiB, each 64 KiB of them beginning with their number, and reads nothing.
    "gush": """
      (local $n i32)
      (loop $more
        (i32.store (i32.const 65536) (local.get $n))
        (call $write (i32.const 1) (i32.const 65536) (i32.const 65536))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $n) (i32.const 1024))))""",
    # The head of a CGI response, before anything is read; then echoes.
    "page": """
      (local $n i32)
      (call $write (i32.const 1) (i32.const 640) (i32.const 54))
      (loop $more
        (local.set $n (call $read))
        (if (local.get $n) (then
          (call $write (i32.const 1) (i32.const 65536) (local.get $n))
          (br $more))))""",
    # Waits for input or 100 ms, whichever comes first: echoes the one, says "beat" of the other, "done" at the end.
    "beats": """
      (local $n i32)
      (i32.store8 (i32.const 200) (i32.const 1))
      (i32.store (i32.const 256) (i32.const 1))
      (i64.store (i32.const 264) (i64.const 100000000))
      (loop $more
        (drop (call $poll (i32.const 192) (i32.const 512) (i32.const 2) (i32.const 8)))
        (if (i32.load8_u (i32.const 522))
          (then
            (local.set $n (call $read))
            (if (i32.eqz (local.get $n)) (then
              (call $write (i32.const 1) (i32.const 128) (i32.const 4))
              (return)))
            (call $write (i32.const 1) (i32.const 65536) (local.get $n)))
          (else (call $write (i32.const 1) (i32.const 160) (i32.const 5))))
        (br $more))""",
    # Reads without blocking until input comes, and says "beat" of the first time that none was there; then echoes.
    "glance": """
      (local $n i32)
      (drop (call $set_flags (i32.const 0) (i32.const 4)))
      (i32.store (i32.const 0) (i32.const 65536))
      (i32.store (i32.const 4) (i32.const 65536))
      (loop $again
        (if (i32.eq (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (i32.const 6)) (then
          (if (i32.eqz (local.get $n)) (then
            (call $write (i32.const 1) (i32.const 160) (i32.const 5))
            (i32.store (i32.const 0) (i32.const 65536))
            (i32.store (i32.const 4) (i32.const 65536))))
          (local.set $n (i32.const 1))
          (br $again))))
      (call $write (i32.const 1) (i32.const 65536) (i32.load (i32.const 8)))""",
    # 32,768 lines of one letter on standard error; then echoes.
    "chatter": """
      (local $n i32)
      (memory.fill (i32.const 65536) (i32.const 120) (i32.const 65536))
      (loop $more
        (i32.store8 (i32.add (i32.const 65537) (local.get $n)) (i32.const 10))
        (local.set $n (i32.add (local.get $n) (i32.const 2)))
        (br_if $more (i32.lt_u (local.get $n) (i32.const 65536))))
      (call $write (i32.const 2) (i32.const 65536) (i32.const 65536))
      (local.set $n (call $read))
      (call $write (i32.const 1) (i32.const 65536) (local.get $n))""",
    # Rests for 10 ms, which costs no CPU time and keeps its worker busy; then echoes.
    "rest": """
      (local $n i32)
      (local.set $n (call $read))
      (i32.store (i32.const 208) (i32.const 1))
      (i64.store (i32.const 216) (i64.const 10000000))
      (drop (call $poll (i32.const 192) (i32.const 256) (i32.const 1) (i32.const 8)))
      (call $write (i32.const 1) (i32.const 65536) (local.get $n))""",
    # Rests for 300 ms, which costs no CPU time and keeps its worker busy; then says "done".
    "doze": """
      (i32.store (i32.const 208) (i32.const 1))
      (i64.store (i32.const 216) (i64.const 300000000))
      (drop (call $poll (i32.const 192) (i32.const 256) (i32.const 1) (i32.const 8)))
      (call $write (i32.const 1) (i32.const 128) (i32.const 4))""",
    # Its environment, each variable ended by NUL.
    "environment": """
      (drop (call $environ_sizes (i32.const 16) (i32.const 8)))
      (drop (call $environ (i32.const 32768) (i32.const 65536)))
      (call $write (i32.const 1) (i32.const 65536) (i32.load (i32.const 8)))""",
    # Its arguments, each ended by NUL.
    "arguments": """
      (drop (call $args_sizes (i32.const 16) (i32.const 8)))
      (drop (call $args (i32.const 32768) (i32.const 65536)))
      (call $write (i32.const 1) (i32.const 65536) (i32.load (i32.const 8)))""",
    # What the last invocation of this instance left in memory; then leaves its own input there.
    "remember": """
      (call $write (i32.const 1) (i32.const 131072) (i32.const 16))
      (drop (call $read))
      (i64.store (i32.const 131072) (i64.load (i32.const 65536)))
      (i64.store (i32.const 131080) (i64.load (i32.const 65544)))""",
    # Runs the model "default" on a tensor of one i32, the first bytes of its input, and writes the result.
    "infer": """
      (drop (call $read))
      (call $try (call $by_name (i32.const 280) (i32.const 7) (i32.const 320)))
      (call $infer)""",
    # Runs its input, a model, on a tensor of one i32 that is the model's first bytes.
    "infer-own": """
      (i32.store (i32.const 332) (call $read))
      (i32.store (i32.const 328) (i32.const 65536))
      (call $try (call $load (i32.const 328) (i32.const 1) (i32.const 4) (i32.const 0) (i32.const 320)))
      (call $infer)""",
}
"""The body of each guest's ``_start``."""


@functools.cache
def assemble(guest: str) -> bytes:
    """Return a guest's module, assembled once a test run."""
    start = f'(func (export "_start") {GUESTS[guest]})'
    imports, functions = _IMPORTS, _FUNCTIONS
    if guest.startswith("infer"):
        imports, functions = _INFERENCE + imports, functions + _INFERENCE_FUNCTIONS
    return bytes(wasmtime.wat2wasm(f"(module {imports} {functions} {start})"))


def write_function(
    folder: Path, name: str, *, guest: str = "", sections: str = "", trigger: str | None = None
) -> Path:
    """Write ``<folder>/<name>/``: the guest of that name, invoked by its name, with `sections` added."""
    place = folder / name
    place.mkdir(parents=True)
    (place / f"{name}.wasm").write_bytes(assemble(guest or name))
    invoke = f'[[trigger.invoke]]\nmethod = "{name}"\n' if trigger is None else trigger
    manifest = f'name = "{name}"\nmodule = "{name}.wasm"\nguest = "wasi-command"\n{sections}\n{invoke}'
    (place / "function.toml").write_text(manifest)
    return place


def write_functions(folder: Path, functions: dict[str, str]) -> Path:
    """Write functions by name, each with its further sections; each name is also its guest's."""
    for name, sections in functions.items():
        write_function(folder, name, sections=sections)
    return folder
