"""The state of wasi-nn in one invocation: its grants, its handles and its log."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from wasm_grpc.core.model import TensorTypes
from wasm_grpc.hosts.nn.abi import BUSY, INVALID_ARGUMENT
from wasm_grpc.hosts.nn.refusal import Refusal
from wasm_grpc.hosts.protocol import HostCall
from wasm_grpc.inference.protocol import Session

__all__ = ["ExecutionContext", "Graph", "InferenceGrants", "InferenceState"]

_HANDLES_LIMIT: Final = 256
"""Limit on open graphs and execution contexts of one instance. It bounds the memory they take."""

_FIRST_HANDLE_LIMIT: Final = 1 << 30
"""Handles count up from a random number below this, so that no guest can guess another instance's handles."""

_OWNERS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceGrants:
    """
    The models that the instances of one function may run.

    Attributes:
        models: Sessions by the name that a guest passes.
        load: Returns the session of a guest's own model (see `Models.supplied`); None if that is not
            allowed.
        tensor_types: How to interpret the types of tensors.
    """

    models: Mapping[str, Session] = field(default_factory=dict)
    load: Callable[[bytes], Session] | None = None
    tensor_types: TensorTypes = TensorTypes.AUTO

    def begin(self, call: HostCall) -> InferenceState:
        """
        Return the state of one invocation.
        """
        return InferenceState(self, call.log)


@dataclass(slots=True)
class Graph:
    """
    A model that an instance has opened.
    """

    session: Session


@dataclass(slots=True)
class ExecutionContext:
    """
    Inputs and outputs of a graph, separate from those of every other context.

    Attributes:
        graph: The graph that it runs.
        inputs: The inputs that were set, by index.
        outputs: The outputs of the last run; None before the first.
        owner: A number that no other context of this process has.
    """

    graph: Graph
    inputs: dict[int, bytes] = field(default_factory=dict)
    outputs: tuple[bytes, ...] | None = None
    owner: int = field(default_factory=lambda: next(_OWNERS))


class InferenceState:
    """
    Grants and handles of one invocation.

    Attributes:
        grants: The models that the function may run.
        log: Writes a line to the function's log.
    """

    __slots__ = ("_contexts", "_graphs", "_next_handle", "grants", "log")

    def __init__(self, grants: InferenceGrants, log: Callable[[str], None]) -> None:
        self.grants = grants
        self.log = log
        self._graphs: dict[int, Graph] = {}
        self._contexts: dict[int, ExecutionContext] = {}
        self._next_handle = 0

    def add_graph(self, session: Session) -> int:
        """
        Return the handle of a new graph.

        Raises:
            Refusal: BUSY, too many handles are open.
        """
        handle = self._new_handle()
        self._graphs[handle] = Graph(session)
        return handle

    def add_context(self, graph: Graph) -> int:
        """
        Return the handle of a new execution context.

        Raises:
            Refusal: BUSY, too many handles are open.
        """
        handle = self._new_handle()
        self._contexts[handle] = ExecutionContext(graph)
        return handle

    def graph(self, handle: int) -> Graph:
        """
        Return the graph of a handle.

        Raises:
            Refusal: INVALID_ARGUMENT, this instance has no such graph.
        """
        graph = self._graphs.get(handle)
        if graph is None:
            raise Refusal(INVALID_ARGUMENT, f"graph {handle} is not open; expected a loaded one")
        return graph

    def context(self, handle: int) -> ExecutionContext:
        """
        Return the execution context of a handle.

        Raises:
            Refusal: INVALID_ARGUMENT, this instance has no such context.
        """
        context = self._contexts.get(handle)
        if context is None:
            raise Refusal(INVALID_ARGUMENT, f"context {handle} is not open; expected an initialised one")
        return context

    def remove_graph(self, handle: int) -> None:
        """
        Close a graph and all its contexts.

        Raises:
            Refusal: As `graph`.
        """
        graph = self.graph(handle)
        del self._graphs[handle]
        # Contexts of a closed graph would keep its session alive.
        self._contexts = {
            number: context for number, context in self._contexts.items() if context.graph is not graph
        }

    def remove_context(self, handle: int) -> None:
        """
        Close an execution context.

        Raises:
            Refusal: As `context`.
        """
        self.context(handle)
        del self._contexts[handle]

    def _new_handle(self) -> int:
        if len(self._graphs) + len(self._contexts) >= _HANDLES_LIMIT:
            raise Refusal(BUSY, f"{_HANDLES_LIMIT} graphs and contexts are open; expected fewer")
        # Chosen on first use: most instances never need one.
        self._next_handle = self._next_handle + 1 if self._next_handle else _first_handle()
        return self._next_handle


def _first_handle() -> int:
    # Of a power of two, so each is as likely; `secrets` would cost every worker's start 3 ms.
    return 1 + int.from_bytes(os.urandom(4), "little") % _FIRST_HANDLE_LIMIT
