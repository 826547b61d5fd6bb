"""The same guests end the same way on every engine."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

from conformance.wasi.cases import CASES, Case, module_text
from conformance.wasi.file_cases import FILE_CASES
from conformance.wasi.hostile_cases import HOSTILE_CASES
from wasm_grpc.core.model import MIB, GuestKind, Limits, Mount, Outcome, Reason
from wasm_grpc.engines.binary import read_module
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.engines.protocol import Engine, Prepared
from wasm_grpc.guests.protocol import Ending, GuestCall
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.hosts.wasi.context import encode_strings
from wasm_grpc.hosts.wasi.mounts import FileSystem
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr

__all__ = []

Assemble = Callable[[str], bytes]

GUEST = guest_for(GuestKind.WASI_COMMAND)


def _prepare(engine: Engine, wasm: bytes, limits: Limits) -> Prepared:
    limited = write_limits(wasm, memory_bytes=limits.memory_bytes)
    return engine.load(engine.compile(limited), GUEST.hosts)


def _call(case: Case, mounts: Sequence[Mount] = ()) -> GuestCall:
    files = FileSystem(mounts, scratch_bytes=case.limits.scratch_bytes)
    return GuestCall(
        args=encode_strings(case.args),
        env=encode_strings(case.env),
        stdin=BytesStdin(case.body),
        stdout=CollectedStdout(case.limits.output_bytes),
        stderr=Stderr(case.limits.stderr_bytes),
        limits=case.limits,
        preopens=files.preopens() if case.has_files else (),
    )


ALL_CASES = CASES | FILE_CASES | HOSTILE_CASES


@pytest.mark.parametrize("name", ALL_CASES)
def test_case(engine: Engine, assemble: Assemble, mounts: Sequence[Mount], name: str) -> None:
    """The guest links, runs and ends as its case says."""
    case = ALL_CASES[name]
    wasm = assemble(module_text(case))
    ready = GUEST.ready(_prepare(engine, wasm, case.limits), case.limits)

    ending = ready.run(_call(case, mounts))

    assert GUEST.check(read_module(wasm)) == []
    # Engines may add where it trapped; how much memory is left is another test's.
    message = ending.outcome.message.partition(" in $")[0].partition(" in _start")[0]
    assert ending == Ending(
        outcome=Outcome(
            reason=case.reason,
            body=case.stdout,
            message=ending.outcome.message,
            stderr=case.stderr,
            exit_code=case.exit_code,
            memory_bytes=ending.outcome.memory_bytes,
            limit=case.limit,
        )
    )
    assert message == case.message


# Finds its memory and its global as the module says, soils both, and echoes.
ONCE = Case(
    also="(global $used (mut i32) (i32.const 0))",
    start="""
      (local $taken i32)
      (call $true (i32.eqz (global.get $used)))
      (call $true (i64.eqz (i64.load (i32.const 100000))))
      (global.set $used (i32.const 1))
      (i64.store (i32.const 100000) (i64.const -1))
      (local.set $taken (call $read (i32.const 4096) (i32.const 65536)))
      (call $write (i32.const 1) (i32.const 4096) (local.get $taken))""",
)


def test_each_gets_its_own_bytes_back(engine: Engine, assemble: Assemble) -> None:
    """500 instances, always three ready ahead, each answer with their own body from fresh memory."""
    prepared = _prepare(engine, assemble(module_text(ONCE)), ONCE.limits)
    dice = random.Random(4)
    bodies = [dice.randbytes(dice.randrange(1, 2000)) for _ in range(500)]
    waiting = [GUEST.ready(prepared, ONCE.limits) for _ in range(3)]
    outcomes = []

    for body in bodies:
        waiting.append(GUEST.ready(prepared, ONCE.limits))
        outcomes.append(waiting.pop(0).run(_call(Case(start="", body=body))).outcome)
    for ready in waiting:
        ready.close()

    assert outcomes == [Outcome(reason=Reason.OK, body=body, memory_bytes=128 * 1024) for body in bodies]


def test_memory_used_is_told(engine: Engine, assemble: Assemble) -> None:
    """The outcome tells the memory that the guest ended with, however it ended."""
    case = Case(
        start="(drop (memory.grow (i32.const 30))) (call $proc_exit (i32.const 1))",
        limits=Limits(memory_bytes=64 * MIB),
    )
    ready = GUEST.ready(_prepare(engine, assemble(module_text(case)), case.limits), case.limits)

    assert ready.run(_call(case)).outcome.memory_bytes == 2 * MIB
