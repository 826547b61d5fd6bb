"""
The protocol of guest interfaces: check a module, prepare an instance, run one call.

Theory of operation. `Guest.check` and `Guest.hosts` are used when a module is loaded. `Guest.ready`
makes an instance before its invocation is known. `ReadyGuest.run` runs the invocation. Whatever the
guest does, `run` returns an `Ending`. It raises only for a bug of ours outside all host functions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wasm_grpc.core.model import Limits, Outcome
from wasm_grpc.engines.binary import Module
from wasm_grpc.engines.protocol import HostModules, Prepared
from wasm_grpc.hosts.protocol import HostStates
from wasm_grpc.hosts.wasi.descriptors import Descriptor
from wasm_grpc.hosts.wasi.streams import Stderr, Stdin, Stdout

__all__ = ["Ending", "Guest", "GuestCall", "ReadyGuest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCall:
    """
    The input of one invocation.

    Attributes:
        args: The arguments, the function's name first, encoded by `encode_strings`.
        env: ``NAME=value`` strings in the same form. If a name is repeated, most guests see the first value.
        stdin: The body.
        stdout: Receives the result. Its `collected` becomes the outcome's body.
        stderr: Receives the guest's log. Its tail goes into the outcome.
        limits: The function's limits.
        preopens: Directories that are open from the start.
        states: How the host modules besides WASI begin.
    """

    args: bytes
    env: bytes
    stdin: Stdin
    stdout: Stdout
    stderr: Stderr
    limits: Limits
    preopens: Iterable[Descriptor] = ()
    states: HostStates = field(default_factory=dict)

    def log(self, line: str) -> None:
        """
        Write a line from the host to the guest's log.
        """
        self.stderr.write(memoryview(f"{line}\n".encode("utf-8", "replace")))


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
    An instance that is ready for its one invocation.
    """

    def run(self, call: GuestCall) -> Ending:
        """
        Run the invocation. Call it once, and `close` afterwards: that may take as long as a short run.
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

    def ready(self, prepared: Prepared, limits: Limits) -> ReadyGuest:
        """
        Make an instance under these limits, before its invocation is known.

        If the guest ends while it is instantiated, this doesn't raise. `run` returns how it ended.
        """
        ...
