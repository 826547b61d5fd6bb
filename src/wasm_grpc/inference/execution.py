"""One user of a session: the inputs that were set for it, and the outputs of its last run."""

from __future__ import annotations

import itertools
from typing import Final

from wasm_grpc.inference.protocol import Session

__all__ = ["Execution"]

_OWNERS: Final = itertools.count(1)


class Execution:
    """
    Inputs and outputs of a session, separate from those of every other user of the session.

    Attributes:
        session: The session.
        inputs: The inputs that were set, by index. They stay for the next run.
        outputs: The outputs of the last run; ``None`` before the first, and after one that failed.
    """

    __slots__ = ("_owner", "inputs", "outputs", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.inputs: dict[int, bytes] = {}
        self.outputs: tuple[bytes, ...] | None = None
        self._owner = next(_OWNERS)

    @property
    def unset_input(self) -> int | None:
        """
        The first input that was not set; ``None`` if all were.
        """
        return next((each for each in range(len(self.session.inputs)) if each not in self.inputs), None)

    def run(self) -> None:
        """
        Run the model once. All its inputs must be set.

        Raises:
            ModelError, MemoryError: As `Session.run`.
        """
        # A run that fails leaves no outputs, so that nobody takes those of the run before for its own.
        self.outputs = None
        inputs = [self.inputs[index] for index in range(len(self.session.inputs))]
        self.outputs = self.session.run(inputs, owner=self._owner)
