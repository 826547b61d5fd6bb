"""
What a guest interface is to the worker: it checks a module, readies an instance, runs one call.

Theory of operation. `Guest.check` and `Guest.hosts` belong to loading a module, `Guest.ready` makes
an instance ahead of its invocation, `ReadyGuest.run` is the invocation. Whatever the guest does,
`run` answers with an `Ending`; it raises only for an error of ours outside any host function.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wasm_grpc.core.model import Limits, Outcome
from wasm_grpc.engines.binary import Module
from wasm_grpc.engines.protocol import HostModules, Prepared
from wasm_grpc.hosts.nn.state import InferenceGrants
from wasm_grpc.hosts.wasi.descriptors import Descriptor
from wasm_grpc.hosts.wasi.streams import Stderr, Stdin, Stdout

__all__ = ["Ending", "Guest", "GuestCall", "ReadyGuest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCall:
    """
    One invocation as a guest interface takes it.

    Attributes:
        args: The arguments, the function's name first, as `encode_strings` gives them.
        env: ``NAME=value`` strings in the same form; of two with one name most guests see the first.
        stdin: The body.
        stdout: Where the result goes; its `collected` becomes the outcome's body.
        stderr: Where the log goes; its tail is in the outcome.
        limits: Of the function.
        preopens: Directories that are open from its start.
        inference: Models that it may run.
    """

    args: bytes
    env: bytes
    stdin: Stdin
    stdout: Stdout
    stderr: Stderr
    limits: Limits
    preopens: Iterable[Descriptor] = ()
    inference: InferenceGrants = field(default_factory=InferenceGrants)

    def log(self, line: str) -> None:
        """
        Write a line of the host's to the guest's log.
        """
        self.stderr.write(memoryview(f"{line}\n".encode("utf-8", "replace")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """
    How one invocation ended.

    Attributes:
        outcome: What the caller is told.
        is_process_tainted: The worker must answer and end: its engine can't be trusted any more.
    """

    outcome: Outcome
    is_process_tainted: bool = False


class ReadyGuest(Protocol):
    """
    An instance that waits for its one invocation.
    """

    def run(self, call: GuestCall) -> Ending:
        """
        Run the invocation and close the instance; called once.
        """
        ...

    def close(self) -> None:
        """
        Free an instance that was not needed; may follow `run`.
        """
        ...


class Guest(Protocol):
    """
    One guest interface.
    """

    @property
    def hosts(self) -> HostModules:
        """
        What a module may import.
        """
        ...

    def check(self, module: Module) -> Sequence[str]:
        """
        Return what keeps `module` from being run, a line each; nothing if it is right.
        """
        ...

    def ready(self, prepared: Prepared, limits: Limits) -> ReadyGuest:
        """
        Make an instance under these limits that knows nothing yet of its invocation.

        A guest that ends while it is made is ready too: its `run` tells how it ended.
        """
        ...
