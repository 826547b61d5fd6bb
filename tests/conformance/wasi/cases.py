"""Guests in the text format that each check one thing of WASI from inside, and how each must end."""

from __future__ import annotations

from dataclasses import dataclass, field

from wasm_grpc.core.model import KIB, MIB, Limits, Reason
from wasm_grpc.hosts.wasi import preview1

__all__ = ["CASES", "Case", "module_text"]

BODY = bytes(range(256)) * 300  # over one page of memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    One guest and its end.

    Attributes:
        start: Body of its ``_start``; `PRELUDE` has what it may call.
        also: What stands beside ``_start`` in the module.
        has_files: It finds what the fixture `mounts` holds, and /tmp; else no directory is open.
        exit_code: 0 and `Reason.OK` is success; a failed check exits with 100 + the errno found.
    """

    start: str
    also: str = ""
    body: bytes = b""
    args: tuple[str, ...] = ("guest",)
    env: tuple[str, ...] = ()
    limits: Limits = field(default_factory=lambda: Limits(memory_bytes=8 * MIB))
    reason: Reason = Reason.OK
    stdout: bytes = b""
    stderr: bytes = b""
    exit_code: int = 0
    message: str = ""
    limit: str = ""
    has_files: bool = False


def _imports() -> str:
    lines = []
    for (module, name), function in preview1.FUNCTIONS.items():
        params = " ".join(function.type.params)
        results = " ".join(f"(result {result})" for result in function.type.results)
        lines.append(f'(import "{module}" "{name}" (func ${name} (param {params}) {results}))')
    return "\n".join(lines)


# Vectors lie at 0, sizes at 32, events at 256, text at 1024 and what is read from 4096 on.
PRELUDE = """
(import "wasi_snapshot_preview1" "fd_write" (func $fd_write_again (param i32 i32 i32 i32) (result i32)))
(memory (export "memory") 2)
(data (i32.const 1024) "hello\\nerror\\n")

(func $check (param $found i32) (param $expected i32)
  (if (i32.ne (local.get $found) (local.get $expected))
    (then (call $proc_exit (i32.add (i32.const 100) (local.get $found))))))

(func $true (param $claim i32)
  (if (i32.eqz (local.get $claim)) (then (call $proc_exit (i32.const 99)))))

(func $write (param $fd i32) (param $at i32) (param $length i32)
  (i32.store (i32.const 0) (local.get $at))
  (i32.store (i32.const 4) (local.get $length))
  (call $check (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 32)) (i32.const 0)))

(func $read (param $at i32) (param $length i32) (result i32)
  (i32.store (i32.const 0) (local.get $at))
  (i32.store (i32.const 4) (local.get $length))
  (call $check (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 32)) (i32.const 0))
  (i32.load (i32.const 32)))

(func $now (param $clock i32) (result i64)
  (call $check (call $clock_time_get (local.get $clock) (i64.const 1) (i32.const 64)) (i32.const 0))
  (i64.load (i32.const 64)))

;; A subscription at $at to a clock, $timeout from now.
(func $after (param $at i32) (param $userdata i64) (param $clock i32) (param $timeout i64)
  (i64.store (local.get $at) (local.get $userdata))
  (i32.store8 offset=8 (local.get $at) (i32.const 0))
  (i32.store offset=16 (local.get $at) (local.get $clock))
  (i64.store offset=24 (local.get $at) (local.get $timeout))
  (i32.store16 offset=40 (local.get $at) (i32.const 0)))
"""


def module_text(case: Case) -> str:
    """Return the whole module; it imports all of preview 1, and ``fd_write`` twice, as Go does."""
    return f'(module {_imports()} {PRELUDE} {case.also} (func (export "_start") {case.start}))'


ECHO = """
(local $taken i32)
(loop $next
  (local.set $taken (call $read (i32.const 4096) (i32.const 65536)))
  (if (local.get $taken)
    (then
      (call $write (i32.const 1) (i32.const 4096) (local.get $taken))
      (br $next))))
"""

PRINT_STRINGS = """
(call $check (call ${0}_sizes_get (i32.const 64) (i32.const 68)) (i32.const 0))
(call $check (call ${0}_get (i32.const 4096) (i32.const 8192)) (i32.const 0))
(if (i32.load (i32.const 64))
  (then (call $true (i32.eq (i32.load (i32.const 4096)) (i32.const 8192)))))
(call $write (i32.const 1) (i32.const 8192) (i32.load (i32.const 68)))
"""

# Grows until that is refused; then aborts, as a libc does.
GROW_AND_ABORT = """
(loop $next (br_if $next (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
unreachable
"""

FLOOD = """
(local $left i32)
(local.set $left (i32.const {count}))
(loop $next
  (call $write (i32.const {fd}) (i32.const 4096) (i32.const 65536))
  (local.set $left (i32.sub (local.get $left) (i32.const 1)))
  (br_if $next (local.get $left)))
"""


def _answers(errno: int, call: str) -> Case:
    return Case(start=f"(call $check {call} (i32.const {errno}))")


def _pointer_cases() -> dict[str, Case]:
    # Two pages: the end is 131072.
    ends = {"end": 131_072, "past-end": 131_073, "last-byte": 131_071, "2^31": -(1 << 31), "2^32-1": -1}
    calls = {
        "fd_read-vectors": "(call $fd_read (i32.const 0) (i32.const {0}) (i32.const 1) (i32.const 32))",
        "fd_write-vectors": "(call $fd_write (i32.const 1) (i32.const {0}) (i32.const 1) (i32.const 32))",
        "fd_write-size": "(call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const {0}))",
        "args_sizes_get": "(call $args_sizes_get (i32.const {0}) (i32.const 0))",
        "environ_sizes_get": "(call $environ_sizes_get (i32.const 0) (i32.const {0}))",
        "clock_time_get": "(call $clock_time_get (i32.const 0) (i64.const 0) (i32.const {0}))",
        "random_get": "(call $random_get (i32.const {0}) (i32.const 2))",
        "fd_fdstat_get": "(call $fd_fdstat_get (i32.const 0) (i32.const {0}))",
        "poll_oneoff": "(call $poll_oneoff (i32.const {0}) (i32.const 256) (i32.const 1) (i32.const 32))",
    }
    return {
        f"efault-{name}-{where}": _answers(21, call.format(at))
        for name, call in calls.items()
        for where, at in ends.items()
    }


CASES: dict[str, Case] = {
    # Ends.
    "return": Case(start=""),
    "exit-0": Case(start="(call $proc_exit (i32.const 0))"),
    "exit-3": Case(
        start="(call $proc_exit (i32.const 3))", reason=Reason.EXITED, exit_code=3, message="exit code 3"
    ),
    "exit-65": Case(
        start="(call $write (i32.const 2) (i32.const 1030) (i32.const 6)) (call $proc_exit (i32.const 65))",
        reason=Reason.REJECTED,
        exit_code=65,
        message="guest rejected its input (exit code 65)",
        stderr=b"error\n",
    ),
    "exit-255": Case(
        start="(call $proc_exit (i32.const 255))",
        reason=Reason.EXITED,
        exit_code=255,
        message="exit code 255",
    ),
    "exit-2^32-1": Case(
        start="(call $proc_exit (i32.const -1))",
        reason=Reason.EXITED,
        exit_code=4_294_967_295,
        message="exit code 4294967295",
    ),
    "exit-from-within": Case(
        also="(func $deep (param i32) (if (local.get 0) (then"
        " (call $deep (i32.sub (local.get 0) (i32.const 1)))) (else (call $proc_exit (i32.const 4)))))",
        start="(call $deep (i32.const 50)) unreachable",
        reason=Reason.EXITED,
        exit_code=4,
        message="exit code 4",
    ),
    "trap-keeps-stderr": Case(
        start="(call $write (i32.const 1) (i32.const 1024) (i32.const 6))"
        "(call $write (i32.const 2) (i32.const 1030) (i32.const 6))"
        "(drop (i32.div_u (i32.const 1) (i32.load (i32.const 2048))))",
        reason=Reason.TRAPPED,
        message="integer divide by zero",
        stderr=b"error\n",
    ),
    "out-of-memory": Case(
        start=GROW_AND_ABORT,
        reason=Reason.OUT_OF_MEMORY,
        message="out of memory; 8 of 8 MiB in use",
        limit="limits.memory",
    ),
    "start-section-exits": Case(
        also="(func $begin (call $proc_exit (i32.const 5))) (start $begin)",
        start="unreachable",
        reason=Reason.EXITED,
        exit_code=5,
        message="exit code 5",
    ),
    "start-section-has-streams": Case(
        also="(func $begin (call $write (i32.const 1) (i32.const 1024) (i32.const 6))) (start $begin)",
        start="(call $write (i32.const 1) (i32.const 1024) (i32.const 6))",
        stdout=b"hello\nhello\n",
    ),
    # Streams.
    "echo-nothing": Case(start=ECHO),
    "echo": Case(start=ECHO, body=BODY, stdout=BODY),
    "body-not-read": Case(
        start="(call $write (i32.const 1) (i32.const 1024) (i32.const 6))", body=BODY, stdout=b"hello\n"
    ),
    "read-after-the-end": Case(
        start="(call $true (i32.eq (call $read (i32.const 4096) (i32.const 9)) (i32.const 4)))"
        "(call $true (i32.eqz (call $read (i32.const 4096) (i32.const 9))))"
        "(call $true (i32.eqz (call $read (i32.const 4096) (i32.const 9))))",
        body=b"body",
    ),
    "several-vectors": Case(
        start="(i32.store (i32.const 0) (i32.const 4096)) (i32.store (i32.const 4) (i32.const 2))"
        "(i32.store (i32.const 8) (i32.const 5001)) (i32.store (i32.const 12) (i32.const 3))"
        "(call $check (call $fd_read (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 32)) (i32.const 0))"
        "(call $true (i32.eq (i32.load (i32.const 32)) (i32.const 5)))"
        "(call $check (call $fd_write_again (i32.const 1) (i32.const 0) (i32.const 2) (i32.const 32))"
        " (i32.const 0))",
        body=b"abcdefgh",
        stdout=b"abcde",
    ),
    "read-into-grown-memory": Case(
        start="(drop (call $read (i32.const 4096) (i32.const 1)))"
        "(call $true (i32.eq (memory.grow (i32.const 2)) (i32.const 2)))"
        "(call $true (i32.eq (call $read (i32.const 262139) (i32.const 5)) (i32.const 4)))"
        "(call $write (i32.const 1) (i32.const 262139) (i32.const 4))",
        body=b"abcde",
        stdout=b"bcde",
    ),
    "both-outputs": Case(
        start="(call $write (i32.const 1) (i32.const 1024) (i32.const 6))"
        "(call $write (i32.const 2) (i32.const 1030) (i32.const 6))"
        "(call $write (i32.const 1) (i32.const 1024) (i32.const 6))",
        stdout=b"hello\nhello\n",
        stderr=b"error\n",
    ),
    "output-limit": Case(
        start=FLOOD.format(count=-1, fd=1),
        limits=Limits(output_bytes=MIB),
        reason=Reason.OUTPUT_LIMIT,
        message="guest wrote over 1 MiB to standard output",
        limit="limits.output",
    ),
    "flood-of-stderr": Case(
        start=FLOOD.format(count=1000, fd=2) + "(call $write (i32.const 2) (i32.const 1030) (i32.const 6))",
        limits=Limits(stderr_bytes=KIB),
        stderr=bytes(KIB - 6) + b"error\n",
    ),
    "closed-stdout": Case(
        start="(call $check (call $fd_close (i32.const 1)) (i32.const 0))"
        "(call $check (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32))"
        " (i32.const 8))"
        "(call $check (call $fd_close (i32.const 1)) (i32.const 8))",
    ),
    "renumbered-stderr": Case(
        start="(call $check (call $fd_renumber (i32.const 1) (i32.const 2)) (i32.const 0))"
        "(call $write (i32.const 2) (i32.const 1024) (i32.const 6))",
        stdout=b"hello\n",
    ),
    # Arguments and environment.
    "args": Case(
        start=PRINT_STRINGS.format("args"), args=("guest", "", "größe"), stdout="guest\0\0größe\0".encode()
    ),
    "environ": Case(start=PRINT_STRINGS.format("environ"), env=("A=1", "B="), stdout=b"A=1\0B=\0"),
    "no-environ": Case(start=PRINT_STRINGS.format("environ")),
    # Clocks and random.
    "realtime": Case(
        start="(call $true (i64.gt_u (call $now (i32.const 0)) (i64.const 1700000000000000000)))"
    ),
    "monotonic": Case(
        start="(local $first i64) (local.set $first (call $now (i32.const 1)))"
        "(call $true (i64.ge_u (call $now (i32.const 1)) (local.get $first)))"
    ),
    "cpu-clocks": Case(
        start="(call $true (i64.lt_u (call $now (i32.const 2)) (i64.const 5000000000)))"
        "(call $true (i64.lt_u (call $now (i32.const 3)) (i64.const 5000000000)))"
    ),
    "unknown-clock": _answers(28, "(call $clock_time_get (i32.const 4) (i64.const 0) (i32.const 64))"),
    "resolution": Case(
        start="(call $check (call $clock_res_get (i32.const 1) (i32.const 64)) (i32.const 0))"
        "(call $true (i64.ne (i64.load (i32.const 64)) (i64.const 0)))"
    ),
    "random": Case(
        start="(call $check (call $random_get (i32.const 4096) (i32.const 8)) (i32.const 0))"
        "(call $check (call $random_get (i32.const 4104) (i32.const 8)) (i32.const 0))"
        "(call $true (i64.ne (i64.load (i32.const 4096)) (i64.load (i32.const 4104))))"
    ),
    "sleep": Case(
        start="(local $first i64) (local.set $first (call $now (i32.const 1)))"
        "(call $after (i32.const 512) (i64.const -2) (i32.const 1) (i64.const 2000000))"
        "(call $check (call $poll_oneoff (i32.const 512) (i32.const 256) (i32.const 1) (i32.const 32))"
        " (i32.const 0))"
        "(call $true (i32.eq (i32.load (i32.const 32)) (i32.const 1)))"
        "(call $true (i64.eq (i64.load (i32.const 256)) (i64.const -2)))"
        "(call $true (i64.ge_u (i64.sub (call $now (i32.const 1)) (local.get $first)) (i64.const 2000000)))"
    ),
    "earliest-of-two-clocks": Case(
        start="(call $after (i32.const 512) (i64.const 1) (i32.const 1) (i64.const 600000000000))"
        "(call $after (i32.const 560) (i64.const 2) (i32.const 0) (i64.const 1000000))"
        "(call $check (call $poll_oneoff (i32.const 512) (i32.const 256) (i32.const 2) (i32.const 32))"
        " (i32.const 0))"
        "(call $true (i32.eq (i32.load (i32.const 32)) (i32.const 1)))"
        "(call $true (i64.eq (i64.load (i32.const 256)) (i64.const 2)))"
    ),
    "poll-nothing": _answers(
        28, "(call $poll_oneoff (i32.const 512) (i32.const 256) (i32.const 0) (i32.const 32))"
    ),
    "yield": _answers(0, "(call $sched_yield)"),
    "raise": _answers(52, "(call $proc_raise (i32.const 9))"),
    # What is refused.
    "no-preopens": _answers(8, "(call $fd_prestat_get (i32.const 3) (i32.const 64))"),
    "seek-on-a-stream": _answers(
        70, "(call $fd_seek (i32.const 0) (i64.const -1) (i32.const 1) (i32.const 64))"
    ),
    "open-without-a-directory": _answers(
        8,
        "(call $path_open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 5) (i32.const 0)"
        " (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 64))",
    ),
    "socket": _answers(57, "(call $sock_shutdown (i32.const 1) (i32.const 3))"),
    "2^31-vectors": _answers(
        21, "(call $fd_write (i32.const 1) (i32.const 0) (i32.const 0x80000000) (i32.const 32))"
    ),
    **_pointer_cases(),
}
