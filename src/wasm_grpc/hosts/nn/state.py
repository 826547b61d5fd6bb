"""The state of wasi-nn in one invocation: its grants, its handles and its log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wasm_grpc.core.model import TensorTypes
from wasm_grpc.hosts.handles import HANDLES_LIMIT, Handles, TooManyHandlesError
from wasm_grpc.hosts.nn.abi import BUSY, INVALID_ARGUMENT
from wasm_grpc.hosts.protocol import HostCall
from wasm_grpc.hosts.refusal import Refusal
from wasm_grpc.inference.execution import Execution
from wasm_grpc.inference.grants import ModelGrants
from wasm_grpc.inference.protocol import Session

__all__ = ["Graph", "InferenceGrants", "InferenceState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceGrants:
    """
    The models that the instances of one function may run, and how they pass tensors.

    Attributes:
        models: The models.
        tensor_types: How to interpret the types of tensors.
    """

    models: ModelGrants = field(default_factory=ModelGrants)
    tensor_types: TensorTypes = TensorTypes.AUTO

    def begin(self, call: HostCall) -> InferenceState:
        """
        Return the state of one invocation.
        """
        return InferenceState(self, call.log)


@dataclass(slots=True, eq=False)
class Graph:
    """
    A model that an instance has opened.
    """

    session: Session


class InferenceState:
    """
    Grants and handles of one invocation.

    Attributes:
        grants: The models that the function may run.
        log: Writes a line to the function's log.
    """

    __slots__ = ("_handles", "grants", "log")

    def __init__(self, grants: InferenceGrants, log: Callable[[str], None]) -> None:
        self.grants = grants
        self.log = log
        self._handles = Handles()

    def add_graph(self, session: Session) -> int:
        """
        Return the handle of a new graph.

        Raises:
            Refusal: BUSY, too many handles are open.
        """
        return self._add(Graph(session))

    def add_context(self, graph: Graph) -> int:
        """
        Return the handle of a new execution context.

        Raises:
            Refusal: BUSY, too many handles are open.
        """
        return self._add(Execution(graph.session), owner=graph)

    def graph(self, handle: int) -> Graph:
        """
        Return the graph of a handle.

        Raises:
            Refusal: INVALID_ARGUMENT, this instance has no such graph.
        """
        graph = self._handles.get(handle, Graph)
        if graph is None:
            raise Refusal(INVALID_ARGUMENT, f"graph {handle} is not open; expected a loaded one")
        return graph

    def context(self, handle: int) -> Execution:
        """
        Return the execution context of a handle.

        Raises:
            Refusal: INVALID_ARGUMENT, this instance has no such context.
        """
        context = self._handles.get(handle, Execution)
        if context is None:
            raise Refusal(INVALID_ARGUMENT, f"context {handle} is not open; expected an initialised one")
        return context

    def remove_graph(self, handle: int) -> None:
        """
        Close a graph and all its contexts.

        Raises:
            Refusal: As `graph`.
        """
        self._handles.close(self.graph(handle))

    def remove_context(self, handle: int) -> None:
        """
        Close an execution context.

        Raises:
            Refusal: As `context`.
        """
        self._handles.close(self.context(handle))

    def _add(self, opened: object, *, owner: object = None) -> int:
        try:
            return self._handles.add(opened, owner=owner)
        except TooManyHandlesError:
            raise Refusal(BUSY, f"{HANDLES_LIMIT} graphs and contexts are open; expected fewer") from None
