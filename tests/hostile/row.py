"""One row of the table: a hostile guest, and what its callers must get."""

from __future__ import annotations

from dataclasses import dataclass, field

import grpc

from conformance.wasi.cases import Case, module_text
from conformance.wasi.steps import Step, calls
from integration.client import Failure

__all__ = [
    "BRIEF",
    "DEEP",
    "HELD",
    "Answer",
    "Ending",
    "Row",
    "bad_response",
    "command",
    "ended",
    "exited",
    "late",
    "steps",
    "trapped",
]

CODES = grpc.StatusCode
HELD = b"held"
"""What a guest answers that could do nothing but what it may."""
LIMITS = '[limits]\nmemory = "8MiB"\noutput = "1MiB"\nscratch = "1MiB"\nstderr = "1KiB"\n'
BRIEF = LIMITS + 'timeout = "400ms"\n'
"""For guests that never end by themselves."""
DEEP = LIMITS + 'timeout = "15s"\n'
"""For guests that exhaust the stack, which Wasmer takes seconds to report: it looks at each frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a call fails: what its caller gets, without the function's name."""

    code: grpc.StatusCode
    reason: str
    said: str
    limit: str = ""

    def of(self, function: str) -> Failure:
        """Return it as the failure of a function."""
        return Failure(
            code=self.code,
            message=f"function '{function}': {self.said}",
            reason=self.reason,
            function=function,
            limit=self.limit,
        )


Answer = bytes | Ending | tuple[Ending, ...]
"""A body or a failure; several where it is up to chance which one comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    One hostile guest.

    Attributes:
        tries: What it tries.
        module: Its module, in the text format.
        answers: What must answer each of its calls, one after the other.
        bodies: The bodies of these calls; empty for as many empty ones.
        sections: Its manifest, without name, module and trigger.
        guest: How it is called.
        within_s: All of the calls must be answered in this time, on a machine that is busy with others.
    """

    tries: str
    module: str
    answers: tuple[Answer, ...] = (HELD,)
    bodies: tuple[bytes, ...] = ()
    sections: str = LIMITS
    guest: str = "wasi-command"
    within_s: float = 6.0
    calls: tuple[tuple[bytes, Answer], ...] = field(init=False)

    def __post_init__(self) -> None:
        bodies = self.bodies or (b"",) * len(self.answers)
        object.__setattr__(self, "calls", tuple(zip(bodies, self.answers, strict=True)))

    @property
    def manifest(self) -> str:
        """Return its manifest, but for the name."""
        return f'guest = "{self.guest}"\n{self.sections}'


def command(start: str, *, also: str = "") -> str:
    """
    Return the module of a WASI command with this ``_start``.

    It may call ``$held``, all of WASI, and what `conformance.wasi.cases.PRELUDE` has.
    """
    held = """
      (data (i32.const 1200) "held")
      (func $held (call $write (i32.const 1) (i32.const 1200) (i32.const 4)))"""
    return module_text(Case(start=start, also=held + also))


def steps(*calls_and_errnos: Step, also: str = "", then: str = "(call $held)") -> str:
    """Return a command that makes these calls, finds each answered with its errno, and then does something."""
    case = calls(*calls_and_errnos)
    return command(f"{case.start} {then}", also=case.also + also)


def ended(code: grpc.StatusCode, reason: str, said: str, limit: str = "") -> Ending:
    """Return how a call fails that reached a limit."""
    return Ending(code=code, reason=reason, said=said, limit=f"limits.{limit}" if limit else "")


def trapped(said: str) -> Ending:
    """Return how a call fails whose guest traps."""
    return ended(CODES.INTERNAL, "TRAPPED", said)


def exited(said: str) -> Ending:
    """Return how a call fails whose guest gives up by itself."""
    return ended(CODES.INTERNAL, "EXITED", said)


def late(said: str = "ran longer than 0.4 s", limit: str = "timeout") -> Ending:
    """Return how a call fails that takes too long."""
    return ended(CODES.DEADLINE_EXCEEDED, "TIMEOUT", said, limit)


def bad_response(said: str) -> Ending:
    """Return how a call fails whose guest wrote no proper answer."""
    return ended(CODES.INTERNAL, "BAD_RESPONSE", f"its response: {said}")
