"""One invocation in the pool, from its ticket to its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from wasm_grpc.core.model import Invocation, Outcome, WorkerFunction
from wasm_grpc.pool.stream import Stream

__all__ = ["Job"]


@dataclass(slots=True)
class Job:
    """
    An invocation while the pool has it.

    Attributes:
        ticket: Its number in the schedule.
        index: The function's, in the frames to a worker.
        function: What it calls.
        invocation: What it calls it with.
        result: Its outcome, or why it was not run.
        taken_s: When the pool took it, on the event loop's clock.
        stream: Its input and output, where they are streamed.
        worker: The worker that it was sent to; 0 while it waits.
        tries: How many workers it was sent to.
        sent_s: When it was sent there, on the event loop's clock.
        is_loading: Its worker loads the function first; the guest has not started.
        ended_by: Why its worker was killed, if we did it.
    """

    ticket: int
    index: int
    function: WorkerFunction
    invocation: Invocation
    result: asyncio.Future[Outcome]
    taken_s: float
    stream: Stream | None = None
    worker: int = 0
    tries: int = 0
    sent_s: float = 0.0
    is_loading: bool = False
    ended_by: Outcome | None = None
    _timer: asyncio.TimerHandle | None = None

    def arm(self, seconds: float | None, late: Callable[[Job], None]) -> None:
        """
        Call `late` after so many seconds, in place of what was armed before; ``None`` never does.
        """
        self.disarm()
        if seconds is not None:
            self._timer = self.result.get_loop().call_later(seconds, late, self)

    def disarm(self) -> None:
        """
        Forget what was armed.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
