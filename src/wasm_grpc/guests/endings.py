"""Turn the end of a guest into the outcome of its invocation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from wasm_grpc.core.memory_limits import over_worker_memory
from wasm_grpc.core.model import KIB, MIB, PAGE_BYTES, Outcome, Reason, ResultKind
from wasm_grpc.core.text import one_line
from wasm_grpc.engines.protocol import GuestExit, GuestFault, GuestStop, GuestTrap
from wasm_grpc.engines.traps import OUT_OF_BOUNDS_MEMORY_ACCESS, UNREACHABLE
from wasm_grpc.guests.protocol import Ending, GuestCall

__all__ = ["EX_DATAERR", "GuestEnd", "GuestFailure", "conclude", "without_frames"]

_Exception = TypeVar("_Exception", bound=BaseException)

EX_DATAERR: Final = 65
"""Exit code of a guest that rejects its input (``sysexits.h``)."""


@dataclass(frozen=True, slots=True)
class GuestFailure:
    """
    The guest said that it failed, by an answer of its interface and not by its exit code.

    Attributes:
        text: What it said, in UTF-8; may be empty.
        is_process_tainted: See `GuestTrap`, if it trapped after it had said that.
    """

    text: bytes
    is_process_tainted: bool = False


GuestEnd = GuestExit | GuestStop | GuestTrap | GuestFailure
"""What `Instance.call` raises, or what the guest answered in place of a result."""

_ABORTS: Final = (UNREACHABLE, OUT_OF_BOUNDS_MEMORY_ACCESS)
"""How a guest traps after a failed allocation: it aborts, or uses the null pointer that it got."""

_REFUSED_ALLOCATIONS: Final = (
    b"memory allocation of ",  # Rust, alloc::handle_alloc_error
    b"runtime: out of memory",  # Go, runtime.throw
)
"""What language runtimes write last after a failed allocation. No engine's binding reports the failure."""

_LAST_WORDS_BYTES: Final = 4 * KIB

_MAY_BE_DENIED: Final = (Reason.EXITED, Reason.TRAPPED)
"""How a guest ends that gives up after something was denied to it."""


def without_frames(end: _Exception) -> _Exception:
    """
    Return an exception that ended a guest, without the frames that it passed.

    One of them holds the exception, which is a cycle, and those of host functions hold views of the guest's
    memory. Both would wait for the garbage collector. The cause of a `GuestFault` keeps its own, for the log.
    """
    end.__context__ = None
    return end.with_traceback(None)


def conclude(
    end: GuestEnd | None, call: GuestCall, *, memory_bytes: int, kind: ResultKind = ResultKind.UNTOLD
) -> Ending:
    """
    Return the ending of an invocation.

    Args:
        end: What ended the guest, if it was not a success.
        call: Its invocation.
        memory_bytes: Size of its linear memory at the end.
        kind: What its result is, if the guest interface tells it.
    """
    tail = call.stderr.tail()
    limit_bytes = call.limits.memory_bytes
    if end is None or (isinstance(end, GuestExit) and end.code == 0):
        body = call.stdout.collected()
        outcome = Outcome(
            reason=Reason.OK,
            body=body,
            result_kind=kind,
            stderr=tail,
            memory_bytes=memory_bytes,
        )
        return Ending(outcome=outcome)
    reason, message, limit = _cause(end)
    if call.denials and reason in _MAY_BE_DENIED:
        reason, message = Reason.DENIED, f"{call.denials[0]} ({message})"
    elif _may_be_refused_memory(end) and _is_out_of_memory(memory_bytes, limit_bytes, tail):
        reason, message, limit = _out_of_memory(memory_bytes, limit_bytes)
    outcome = Outcome(
        reason=reason,
        message=message,
        stderr=tail,
        exit_code=end.code if isinstance(end, GuestExit) else 0,
        memory_bytes=memory_bytes,
        limit=limit,
    )
    is_tainted = _is_short_of_memory(end) or (
        isinstance(end, (GuestTrap, GuestFailure)) and end.is_process_tainted
    )
    return Ending(outcome=outcome, is_process_tainted=is_tainted)


def _cause(end: GuestEnd) -> tuple[Reason, str, str]:
    # (reason, message, manifest key of the limit)
    if isinstance(end, GuestStop):
        return end.reason, str(end), end.limit
    if isinstance(end, GuestFailure):
        text = one_line(end.text.decode("utf-8", "replace"))
        return Reason.EXITED, f"guest failed: {text or 'it gave no reason'}", ""
    if isinstance(end, GuestExit):
        # The one exit code with a meaning of its own: the caller's fault, not the function's.
        if end.code == EX_DATAERR:
            return Reason.REJECTED, f"guest rejected its input (exit code {EX_DATAERR})", ""
        return Reason.EXITED, f"exit code {end.code}", ""
    if isinstance(end, GuestFault):
        return _cause_of_fault(end)
    return Reason.TRAPPED, str(end), ""


def _cause_of_fault(end: GuestFault) -> tuple[Reason, str, str]:
    if _is_short_of_memory(end):
        return Reason.WORKER_MEMORY, over_worker_memory("its worker ran out of memory"), ""
    # The caller sees only the fault's message. The traceback goes to the log.
    # Imported here: at the top it would cost every worker's start 5 ms, for what rarely happens.
    import logging  # noqa: PLC0415

    logging.getLogger(__name__).error("%s", end, exc_info=end)
    return Reason.INTERNAL, str(end), ""


def _is_short_of_memory(end: GuestEnd) -> bool:
    """
    Return whether a host function got no more memory of its process.
    """
    return isinstance(end, GuestFault) and isinstance(end.__cause__, MemoryError)


def _may_be_refused_memory(end: GuestEnd) -> bool:
    if isinstance(end, GuestExit):
        return end.code != EX_DATAERR
    return isinstance(end, GuestTrap) and not isinstance(end, GuestFault) and str(end).startswith(_ABORTS)


def _is_out_of_memory(used_bytes: int, limit_bytes: int, stderr: bytes) -> bool:
    # An allocation fails before the memory is quite full: the block that doesn't fit is commonly under a MiB.
    allowance = max(PAGE_BYTES, min(MIB, limit_bytes // 16))
    if limit_bytes - used_bytes <= allowance:
        return True
    last_words = stderr[-_LAST_WORDS_BYTES:]
    return any(sign in last_words for sign in _REFUSED_ALLOCATIONS)


def _out_of_memory(used_bytes: int, limit_bytes: int) -> tuple[Reason, str, str]:
    unit, name = (KIB, "KiB") if limit_bytes % MIB else (MIB, "MiB")
    message = f"out of memory; {used_bytes // unit} of {limit_bytes // unit} {name} in use"
    return Reason.OUT_OF_MEMORY, message, "limits.memory"
