"""
The protocol of guest interfaces: check a module, prepare an instance, run one call.

Theory of operation. `Guest.check` and `Guest.hosts` are used when a module is loaded. `Guest.ready`
makes an instance before its invocation is known. `ReadyGuest.run` runs the invocation. Whatever the
guest does, `run` returns an `Ending`. It raises only for a bug of ours outside all host functions.

An instance is fresh or warm. A fresh one serves one invocation. A warm one serves several, one after the
other, as long as its guest returns: after anything else, its memory may be inconsistent. All that an
invocation brings is bound to the instance when it begins and taken away when it ends. Only the guest's
memory, globals and tables stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wasm_grpc.core.model import Limits, Outcome
from wasm_grpc.engines.binary import Module
from wasm_grpc.engines.protocol import HostModules, Prepared
from wasm_grpc.hosts.protocol import Dapr, HostStates
from wasm_grpc.hosts.wasi.descriptors import Descriptor
from wasm_grpc.hosts.wasi.streams import Stderr, Stdin, Stdout

__all__ = ["Ending", "Guest", "GuestCall", "ReadyGuest"]

_DENIALS_KEPT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCall:
    """
    The input of one invocation.

    Attributes:
        args: The arguments, the function's name first, encoded by `encode_strings`.
        env: ``NAME=value`` strings in the same form. If a name is repeated, most guests see the first value.
        stdin: The body, or arguments.
        stdout: Receives the result. Its `collected` becomes the outcome's body.
        stderr: Receives the guest's log. Its tail goes into the outcome.
        limits: The function's limits.
        preopens: Directories that are open from the start.
        states: How the host modules besides WASI begin.
        operation: Operation or export to call, for a guest interface that has several, in UTF-8; else b"".
        has_arguments: Whether the input is typed arguments, in the form of `encode_arguments`.
        dapr: The way to Dapr; ``None`` if the function was granted no call.
        denials: What the guest first asked for without a grant, one line each.
    """

    args: bytes
    env: bytes
    stdin: Stdin
    stdout: Stdout
    stderr: Stderr
    limits: Limits
    preopens: Iterable[Descriptor] = ()
    states: HostStates = field(default_factory=dict)
    operation: bytes = b""
    has_arguments: bool = False
    dapr: Dapr | None = None
    denials: list[str] = field(default_factory=list)

    def log(self, line: str) -> None:
        """
        Write a line from the host to the guest's log.
        """
        self.stderr.write(memoryview(f"{line}\n".encode("utf-8", "replace")))

    def deny(self, line: str) -> None:
        """
        See `HostCall.deny`.
        """
        # A guest may ask without end, and the first line is the one that counts.
        if len(self.denials) < _DENIALS_KEPT:
            self.denials.append(line)
        self.log(line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """
    How one invocation ended.

    Attributes:
        outcome: The outcome for the caller.
        is_process_tainted: The engine can no longer be trusted. The worker must answer and then exit.
    """

    outcome: Outcome
    is_process_tainted: bool = False


class ReadyGuest(Protocol):
    """
    An instance that is ready for its next invocation.
    """

    @property
    def is_spent(self) -> bool:
        """
        Whether it has run its last invocation; `close` it.
        """
        ...

    @property
    def taint(self) -> str:
        """
        Why the engine can no longer be trusted in this process since the instance was made; "" if it can.
        """
        ...

    def run(self, call: GuestCall) -> Ending:
        """
        Run an invocation. Call it once, and again as long as the instance is not spent.

        A spent instance is not closed here: that may take as long as a short run, and the caller waits.
        """
        ...

    def close(self) -> None:
        """
        Free the instance. May be called twice.
        """
        ...


class Guest(Protocol):
    """
    One guest interface.
    """

    @property
    def hosts(self) -> HostModules:
        """
        The functions that a module may import.
        """
        ...

    def check(self, module: Module) -> Sequence[str]:
        """
        Return one line for each reason why `module` can't run; empty if it can.
        """
        ...

    def ready(self, prepared: Prepared, limits: Limits, *, max_invocations: int = 1) -> ReadyGuest:
        """
        Make an instance under these limits, before its invocation is known.

        Args:
            prepared: The module.
            limits: The function's limits.
            max_invocations: Number of invocations after which the instance is spent; 1 for a fresh one.

        If the guest ends while it is instantiated, this doesn't raise. `run` returns how it ended.
        """
        ...
