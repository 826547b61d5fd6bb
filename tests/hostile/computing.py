"""Guests that take time, the stack, memory and tables."""

from __future__ import annotations

from collections.abc import Mapping

import grpc

from hostile.row import BRIEF, DEEP, LIMITS, Row, command, ended, late, trapped

__all__ = ["COMPUTING", "SLEEP"]

CODES = grpc.StatusCode
MEMORY = '(memory (export "memory") 2)'
OUT_OF_MEMORY = ended(CODES.INTERNAL, "OUT_OF_MEMORY", "out of memory; 8 of 8 MiB in use", "memory")
CPU = ended(CODES.DEADLINE_EXCEEDED, "CPU_LIMIT", "used more than 0.2 s of CPU time", "cpu")
STACK = trapped("call stack exhausted in down")
OUTSIDE = trapped("out of bounds memory access")
OUTSIDE_TABLE = trapped("out of bounds table access")
GROW = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))"

SLEEP = """
  (call $after (i32.const 128) (i64.const 0) (i32.const 1) (i64.const -1))
  (drop (call $poll_oneoff (i32.const 128) (i32.const 256) (i32.const 1) (i32.const 64)))
  (call $held)"""


def started(start: str, *, also: str = "") -> str:
    """Return a command whose start function does this, before ``_start`` says that it held."""
    return command("(call $held)", also=f"(func $begin {start}) (start $begin) {also}")


def bare(start: str, *, also: str = "") -> str:
    """Return a module without imports that writes nothing."""
    return f'(module {MEMORY} {also} (func (export "_start") {start}))'


def endless(tries: str, start: str, *, also: str = "") -> Row:
    """Return a row that the time limit ends."""
    return Row(tries=tries, module=command(start, also=also), sections=BRIEF, answers=(late(),))


TIME = {
    "spin": endless("computes for ever", "(loop $ever (br $ever))"),
    "spin-in-start": Row(
        tries="computes for ever in its start function",
        module=started("(loop $ever (br $ever))"),
        sections=BRIEF,
        answers=(late(),),
    ),
    "spin-on-cpu": Row(
        tries="computes for ever within a limit on CPU time",
        module=bare("(loop $ever (br $ever))"),
        sections=LIMITS + 'cpu = "200ms"\n',
        answers=(CPU,),
    ),
    "sleep": endless("sleeps for 584 years in poll_oneoff", SLEEP),
    "sleep-in-start": Row(
        tries="sleeps in its start function", module=started(SLEEP), sections=BRIEF, answers=(late(),)
    ),
    "clock-flood": endless(
        "asks for the time for ever", "(loop $ever (drop (call $now (i32.const 1))) (br $ever))"
    ),
    "random-flood": endless(
        "fills its memory with random bytes for ever",
        "(loop $ever (drop (call $random_get (i32.const 0) (i32.const 131072))) (br $ever))",
    ),
    "yield-flood": endless("yields for ever", "(loop $ever (drop (call $sched_yield)) (br $ever))"),
    "poll-flood": endless(
        "waits for 65,536 clocks at once, for ever",
        """
        (drop (memory.grow (i32.const 100)))
        (loop $ever
          (drop (call $poll_oneoff
            (i32.const 4096) (i32.const 4194304) (i32.const 65536) (i32.const 64)))
          (br $ever))""",
    ),
    "traps-in-start": Row(
        tries="traps in its start function",
        module=started("unreachable"),
        answers=(trapped("unreachable in begin"),) * 2,
    ),
    "exits-in-start": Row(
        tries="exits with success in its start function, without an answer",
        module=started("(call $proc_exit (i32.const 0))"),
        answers=(b"", b""),
    ),
}

TIME_NOW = "(drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 64)))"
STACKS = {
    "recursion": Row(
        tries="calls itself without end",
        module=bare("(call $down)", also="(func $down (call $down) (call $down))"),
        answers=(STACK,) * 2,
        sections=DEEP,
        within_s=20,
    ),
    "recursion-by-table": Row(
        tries="calls itself through a table without end",
        module=bare(
            "(call $down)",
            also="""
            (type $plain (func)) (table 1 funcref) (elem (i32.const 0) $down)
            (func $down (call_indirect (type $plain) (i32.const 0)) (call_indirect (type $plain) (i32.const 0)))""",
        ),
        answers=(STACK,) * 2,
        sections=DEEP,
        within_s=20,
    ),
    "recursion-in-host": Row(
        tries="calls a host function at each depth of the stack, to its very end",
        module=command("(call $down)", also=f"(func $down {TIME_NOW} (call $down) {TIME_NOW})"),
        # Wasmer lets the host function run into the end of the stack, and jumps out of it, which may leave the
        # process hanging. It is ended either way.
        answers=((STACK, trapped("call stack exhausted"), late()),) * 2,
        sections=BRIEF,
    ),
    "recursion-in-start": Row(
        tries="calls itself without end in its start function",
        module=started("(call $down)", also="(func $down (call $down) (call $down))"),
        answers=(STACK,) * 2,
        sections=DEEP,
        within_s=20,
    ),
}

MEMORY_BOMBS = {
    "grow": Row(
        tries="grows its memory until that is refused, then aborts",
        module=bare(f"{GROW} unreachable"),
        answers=(OUT_OF_MEMORY,) * 2,
    ),
    "grow-in-start": Row(
        tries="grows its memory in its start function",
        module=started(f"{GROW} unreachable"),
        answers=(OUT_OF_MEMORY,) * 2,
    ),
    "grow-at-once": Row(
        tries="grows its memory by 4 GiB, and by the largest number",
        module=command("""
          (call $true (i32.eq (memory.grow (i32.const 65536)) (i32.const -1)))
          (call $true (i32.eq (memory.grow (i32.const 65535)) (i32.const -1)))
          (call $true (i32.eq (memory.grow (i32.const -1)) (i32.const -1)))
          (call $true (i32.eq (memory.size) (i32.const 2)))
          (call $held)"""),
    ),
    "touch": Row(
        tries="writes all of the memory that it may have, again and again",
        module=command(f"""
          (local $n i32)
          {GROW}
          (loop $more
            (memory.fill (i32.const 65536) (local.get $n)
              (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 65536)))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $n) (i32.const 20))))
          (call $held)"""),
        answers=(b"held",) * 2,
    ),
    "fill": Row(
        tries="fills 4 GiB",
        module=bare("(memory.fill (i32.const 0) (i32.const 1) (i32.const -1))"),
        answers=(OUTSIDE,) * 2,
    ),
    "copy": Row(
        tries="copies 4 GiB over its end",
        module=bare("(memory.copy (i32.const 131071) (i32.const 0) (i32.const -1))"),
        answers=(OUTSIDE,) * 2,
    ),
    "init": Row(
        tries="initialises memory from beyond a segment",
        module=bare("(memory.init 0 (i32.const 0) (i32.const 1) (i32.const -1))", also='(data "abc")'),
        answers=(OUTSIDE,) * 2,
    ),
    "load-beyond": Row(
        tries="reads 4 GiB beyond its memory, by an offset",
        module=bare("(drop (i64.load offset=4294967295 (i32.const -1)))"),
        answers=(OUTSIDE,) * 2,
    ),
    "segment-beyond": Row(
        tries="has a data segment that lies outside its memory",
        module=bare("", also='(data (i32.const 131070) "abc")'),
        answers=(OUTSIDE,) * 2,
    ),
}

TABLES = {
    "table-grow": Row(
        tries="grows its table by all that there is, and then by one",
        module=command(
            """
            (call $true (i32.eq (table.grow 0 (ref.null func) (i32.const -1)) (i32.const -1)))
            (call $true (i32.eq (table.grow 0 (ref.null func) (i32.const 100000)) (i32.const -1)))
            (loop $more
              (br_if $more (i32.ne (table.grow 0 (ref.null func) (i32.const 1000)) (i32.const -1))))
            (call $true (i32.le_u (table.size 0) (i32.const 100000)))
            (call $held)""",
            also="(table 1 funcref)",
        ),
        answers=(b"held",) * 2,
    ),
    "table-fill": Row(
        tries="fills four billion elements of its table",
        module=bare("(table.fill 0 (i32.const 0) (ref.null func) (i32.const -1))", also="(table 4 funcref)"),
        answers=(OUTSIDE_TABLE,) * 2,
    ),
    "call-null": Row(
        tries="calls an element that is not set",
        module=bare("(call_indirect (i32.const 0))", also="(table 1 funcref)"),
        answers=(trapped("uninitialized element"),),
    ),
    "call-beyond": Row(
        tries="calls an element beyond its table",
        module=bare("(call_indirect (i32.const -1))", also="(table 1 funcref)"),
        answers=(OUTSIDE_TABLE,),
    ),
    "call-another-type": Row(
        tries="calls a function as one of another type",
        module=bare(
            "(drop (call_indirect (result i64) (i32.const 0)))",
            also="(table 1 funcref) (elem (i32.const 0) $f) (func $f)",
        ),
        answers=(trapped("indirect call type mismatch"),),
    ),
}

COMPUTING: Mapping[str, Row] = TIME | STACKS | MEMORY_BOMBS | TABLES
