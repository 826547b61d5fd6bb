"""How each way for a guest to end is told."""

from __future__ import annotations

import logging

import pytest

from wasm_grpc.core.model import KIB, MIB, PAGE_BYTES, Limits, Outcome, Reason
from wasm_grpc.engines.protocol import GuestExit, GuestFault, GuestStop, GuestTrap
from wasm_grpc.guests.endings import GuestEnd, conclude
from wasm_grpc.guests.protocol import Ending, GuestCall
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr

__all__ = []

USED = 2 * MIB
LIMITS = Limits(memory_bytes=64 * MIB)


def _conclude(
    end: GuestEnd | None, *, stderr: bytes = b"", used: int = USED, limits: Limits = LIMITS
) -> Ending:
    stdout = CollectedStdout(None)
    stdout.write(memoryview(b"result"))
    log = Stderr(64 * KIB)
    log.write(memoryview(stderr))
    call = GuestCall(args=b"", env=b"", stdin=BytesStdin(b""), stdout=stdout, stderr=log, limits=limits)
    return conclude(end, call, memory_bytes=used)


ENDS: dict[str, tuple[GuestEnd | None, Outcome]] = {
    "return": (None, Outcome(reason=Reason.OK, body=b"result", stderr=b"log", memory_bytes=USED)),
    "exit-0": (GuestExit(0), Outcome(reason=Reason.OK, body=b"result", stderr=b"log", memory_bytes=USED)),
    "exit-65": (
        GuestExit(65),
        Outcome(
            reason=Reason.REJECTED,
            message="guest rejected its input (exit code 65)",
            stderr=b"log",
            exit_code=65,
            memory_bytes=USED,
        ),
    ),
    "exit-1": (
        GuestExit(1),
        Outcome(reason=Reason.EXITED, message="exit code 1", stderr=b"log", exit_code=1, memory_bytes=USED),
    ),
    "trap": (
        GuestTrap("integer divide by zero in share < main"),
        Outcome(
            reason=Reason.TRAPPED,
            message="integer divide by zero in share < main",
            stderr=b"log",
            memory_bytes=USED,
        ),
    ),
    "stop": (
        GuestStop(Reason.OUTPUT_LIMIT, "guest wrote over 1 KiB to standard output", limit="limits.output"),
        Outcome(
            reason=Reason.OUTPUT_LIMIT,
            message="guest wrote over 1 KiB to standard output",
            stderr=b"log",
            memory_bytes=USED,
            limit="limits.output",
        ),
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_outcome(case: str) -> None:
    """Each end has its reason and sentence; only success has a body."""
    end, outcome = ENDS[case]

    assert _conclude(end, stderr=b"log") == Ending(outcome=outcome)


def test_fault_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An error of ours is INTERNAL to the caller, and its traceback is in the log."""
    fault = GuestFault("host function wasi_snapshot_preview1.fd_read failed with KeyError")
    fault.__cause__ = KeyError("secret")

    with caplog.at_level(logging.ERROR):
        ending = _conclude(fault)

    assert ending.outcome == Outcome(reason=Reason.INTERNAL, message=str(fault), memory_bytes=USED)
    assert [record.exc_info and record.exc_info[1] for record in caplog.records] == [fault]


def test_a_host_function_without_memory(caplog: pytest.LogCaptureFixture) -> None:
    """That is the worker's limit and no error of ours; the process ends, since anything may be half done."""
    fault = GuestFault("host function wasi_snapshot_preview1.fd_write failed with MemoryError")
    fault.__cause__ = MemoryError()

    ending = _conclude(fault)

    outcome = Outcome(reason=Reason.WORKER_MEMORY, message="its worker ran out of memory", memory_bytes=USED)
    assert ending == Ending(outcome=outcome, is_process_tainted=True)
    assert caplog.records == []


@pytest.mark.parametrize("is_tainted", [True, False])
def test_tainted_process_is_told(is_tainted: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Whether the process can go on is the trap's to say."""
    ending = _conclude(GuestTrap("call stack exhausted", is_process_tainted=is_tainted))

    assert ending.is_process_tainted is is_tainted


RUST = b"log\nmemory allocation of 104857600 bytes failed\n"
GO = b"runtime: out of memory: cannot allocate 8388608-byte block\ngoroutine 1 [running]:\n"
BOUND = "out of bounds memory access in fill"

OUT_OF_MEMORY: dict[str, tuple[GuestEnd, bytes, int, str]] = {
    "at-the-limit": (GuestTrap("unreachable"), b"", 64 * MIB, "64 of 64 MiB in use"),
    "a-page-below": (GuestTrap("unreachable in abort"), b"", 64 * MIB - PAGE_BYTES, "63 of 64 MiB in use"),
    "a-block-below": (GuestTrap(BOUND), b"", 63 * MIB, "63 of 64 MiB in use"),
    "exit": (GuestExit(1), b"", 64 * MIB, "64 of 64 MiB in use"),
    "rust-says-so": (GuestTrap("unreachable in abort"), RUST, 2 * MIB, "2 of 64 MiB in use"),
    "go-says-so": (GuestExit(2), GO, 30 * MIB, "30 of 64 MiB in use"),
}

NOT_OUT_OF_MEMORY: dict[str, tuple[GuestEnd, bytes, int, Reason]] = {
    "room-was-left": (GuestTrap("unreachable"), b"", 62 * MIB, Reason.TRAPPED),
    "another-trap": (GuestTrap("integer divide by zero"), b"", 64 * MIB, Reason.TRAPPED),
    "rejected": (GuestExit(65), RUST, 64 * MIB, Reason.REJECTED),
    "said-long-before": (GuestExit(1), RUST + bytes(8 * KIB), 2 * MIB, Reason.EXITED),
    "fault": (GuestFault("unreachable"), b"", 64 * MIB, Reason.INTERNAL),
    "stop": (GuestStop(Reason.OUTPUT_LIMIT, "over"), b"", 64 * MIB, Reason.OUTPUT_LIMIT),
}


@pytest.mark.parametrize("case", OUT_OF_MEMORY)
def test_out_of_memory(case: str) -> None:
    """A guest that was refused memory is told how much it had, against which limit."""
    end, stderr, used, in_use = OUT_OF_MEMORY[case]

    outcome = _conclude(end, stderr=stderr, used=used).outcome

    assert (outcome.reason, outcome.message, outcome.limit) == (
        Reason.OUT_OF_MEMORY,
        f"out of memory; {in_use}",
        "limits.memory",
    )


@pytest.mark.parametrize("case", NOT_OUT_OF_MEMORY)
def test_not_out_of_memory(case: str) -> None:
    """What else goes wrong keeps its own reason, however full the memory is."""
    end, stderr, used, reason = NOT_OUT_OF_MEMORY[case]

    assert _conclude(end, stderr=stderr, used=used).outcome.reason is reason


def test_small_limit_is_told_in_kib() -> None:
    """A limit of less than a whole MiB is told in KiB, and a page below it is still at it."""
    limits = Limits(memory_bytes=192 * KIB)

    outcome = _conclude(GuestTrap("unreachable"), used=128 * KIB, limits=limits).outcome

    assert outcome.message == "out of memory; 128 of 192 KiB in use"


@pytest.mark.parametrize("end", [GuestExit(1), GuestTrap("unreachable")])
def test_a_guest_that_gives_up_after_a_denial_was_denied(end: GuestEnd) -> None:
    """The first denial is the reason, also where the guest was out of memory at its end."""
    call = GuestCall(
        args=b"",
        env=b"",
        stdin=BytesStdin(b""),
        stdout=CollectedStdout(None),
        stderr=Stderr(KIB),
        limits=Limits(memory_bytes=64 * KIB),
    )
    call.deny("state 'store/a' is not granted")
    call.deny("state 'store/b' is not granted")

    outcome = conclude(end, call, memory_bytes=64 * KIB).outcome

    assert outcome.reason is Reason.DENIED
    assert outcome.message.startswith("state 'store/a' is not granted (")
    assert outcome.stderr == b"state 'store/a' is not granted\nstate 'store/b' is not granted\n"


@pytest.mark.parametrize(
    ("end", "reason"), [(None, Reason.OK), (GuestExit(65), Reason.REJECTED), (GuestExit(0), Reason.OK)]
)
def test_a_guest_that_goes_on_after_a_denial_ends_as_it_says(end: GuestEnd | None, reason: Reason) -> None:
    """A function may do without what it was not granted."""
    call = GuestCall(
        args=b"",
        env=b"",
        stdin=BytesStdin(b""),
        stdout=CollectedStdout(None),
        stderr=Stderr(KIB),
        limits=LIMITS,
    )
    call.deny("state 'store/a' is not granted")

    assert conclude(end, call, memory_bytes=USED).outcome.reason is reason
