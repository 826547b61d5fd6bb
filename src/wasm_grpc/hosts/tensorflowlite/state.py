"""The state of ``wasmedge_tensorflowlite`` in one invocation: its grants, its handles and its log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wasm_grpc.hosts.handles import HANDLES_LIMIT, Handles, TooManyHandlesError
from wasm_grpc.hosts.refusal import Refusal
from wasm_grpc.hosts.tensorflowlite.abi import BUSY, INVALID_ARGUMENT
from wasm_grpc.inference.execution import Execution
from wasm_grpc.inference.grants import ModelGrants
from wasm_grpc.inference.protocol import Session, TensorInfo

__all__ = ["OpenSession", "OutputTensor", "TensorflowLiteState"]

_NO_OUTPUTS: Final = "there are no outputs; expected a run_session that succeeded"


@dataclass(frozen=True, slots=True, eq=False)
class OutputTensor:
    """
    An output of a session.

    Attributes:
        execution: The session.
        index: The output's index in the model.
    """

    execution: Execution
    index: int

    @property
    def info(self) -> TensorInfo:
        """
        The output in the model.
        """
        return self.execution.session.outputs[self.index]

    @property
    def size_bytes(self) -> int:
        """
        Its size after the last run; before the first, the model's.
        """
        outputs = self.execution.outputs
        return self.info.size_bytes if outputs is None else len(outputs[self.index])

    @property
    def content(self) -> bytes:
        """
        Its content after the last run.

        Raises:
            Refusal: INVALID_ARGUMENT, the session was not run, or its last run failed.
        """
        if self.execution.outputs is None:
            raise Refusal(INVALID_ARGUMENT, _NO_OUTPUTS)
        return self.execution.outputs[self.index]


class OpenSession(Execution):
    """
    A session of the guest.

    Attributes:
        tensors: Handles of its outputs, by index. A guest asks for them after each run, and closes none.
    """

    __slots__ = ("tensors",)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.tensors: dict[int, int] = {}


class TensorflowLiteState:
    """
    Grants and handles of one invocation.

    Attributes:
        models: The models that the function may run.
        log: Writes a line to the function's log.
    """

    __slots__ = ("_handles", "log", "models")

    def __init__(self, models: ModelGrants, log: Callable[[str], None]) -> None:
        self.models = models
        self.log = log
        self._handles = Handles()

    def add_session(self, session: Session) -> int:
        """
        Return the handle of a new session of the guest.

        Raises:
            Refusal: BUSY, too many handles are open.
        """
        return self._add(OpenSession(session))

    def session(self, handle: int) -> OpenSession:
        """
        Return the session of a handle.

        Raises:
            Refusal: INVALID_ARGUMENT, this instance has no such session.
        """
        session = self._handles.get(handle, OpenSession)
        if session is None:
            raise Refusal(
                INVALID_ARGUMENT, f"session {handle} is not open; expected one that create_session returned"
            )
        return session

    def delete_session(self, handle: int) -> None:
        """
        Close a session and all its tensors.

        Raises:
            Refusal: As `session`.
        """
        self._handles.close(self.session(handle))

    def tensor_handle(self, session: OpenSession, index: int) -> int:
        """
        Return the handle of a session's output, which is the same each time.

        Raises:
            Refusal: BUSY, too many handles are open.
        """
        if index not in session.tensors:
            session.tensors[index] = self._add(OutputTensor(session, index), owner=session)
        return session.tensors[index]

    def tensor(self, handle: int) -> OutputTensor:
        """
        Return the tensor of a handle.

        Raises:
            Refusal: INVALID_ARGUMENT, this instance has no such tensor.
        """
        tensor = self._handles.get(handle, OutputTensor)
        if tensor is None:
            raise Refusal(
                INVALID_ARGUMENT, f"tensor {handle} is not open; expected one that get_output_tensor returned"
            )
        return tensor

    def _add(self, opened: object, *, owner: object = None) -> int:
        try:
            return self._handles.add(opened, owner=owner)
        except TooManyHandlesError:
            raise Refusal(BUSY, f"{HANDLES_LIMIT} sessions and tensors are open; expected fewer") from None
