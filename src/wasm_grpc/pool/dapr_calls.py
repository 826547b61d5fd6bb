"""
The calls to Dapr of one running guest: counted, passed on with its own grants, and answered in turn.

Theory of operation. A worker may say anything, so everything that decides about a call is the server's: the
invocation that the worker was given, its function's grants and limits, and the time that is left. A guest
waits for the answer, so it has at most one call at a time, and its run slot is lent meanwhile. The answer is
sent once the guest has its slot back. A call ends with its invocation at the latest.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from wasm_grpc.core import wire
from wasm_grpc.core.model import Invocation, WorkerFunction
from wasm_grpc.core.observers import DaprCalled, Observers
from wasm_grpc.pool.connection import Connection
from wasm_grpc.pool.lease import Lease

__all__ = ["DaprApi", "DaprCalls"]

_log = logging.getLogger("wasm_grpc.pool")

_LIMIT = wire.DaprAnswer(wire.DaprStatus.LIMIT)


class DaprApi(Protocol):
    """
    Dapr's API, as the functions of this server may use it.
    """

    @property
    def has_sidecar(self) -> bool:
        """
        Whether a sidecar is configured. Without one, every call fails.
        """
        ...

    async def call(
        self, call: wire.DaprCall, invocation: Invocation, function: WorkerFunction, *, timeout_s: float
    ) -> wire.DaprAnswer:
        """
        Call Dapr for a guest, if its function's grants allow it. Never fails.

        Args:
            call: What the guest asks for.
            invocation: The guest's invocation.
            function: The guest's function.
            timeout_s: How long the call may take, in seconds.
        """
        ...


class DaprCalls:
    """
    The calls of one invocation, on the worker that runs it.
    """

    __slots__ = (
        "_answer",
        "_api",
        "_connection",
        "_count",
        "_function",
        "_has_failed",
        "_invocation",
        "_lease",
        "_observers",
        "_task",
    )

    def __init__(
        self,
        api: DaprApi | None,
        invocation: Invocation,
        function: WorkerFunction,
        *,
        connection: Connection,
        lease: Lease,
        observers: Observers,
    ) -> None:
        """
        Begin without a call.

        Args:
            api: Dapr's API; ``None`` if this server has none.
            invocation: The guest's invocation.
            function: The guest's function.
            connection: To its worker.
            lease: Its run slot.
            observers: Learn of each call.
        """
        self._api = api
        self._invocation = invocation
        self._function = function
        self._connection = connection
        self._lease = lease
        self._observers = observers
        self._count = 0
        self._has_failed = False
        self._task: asyncio.Task[None] | None = None
        self._answer: wire.DaprAnswer | None = None

    @property
    def is_waiting(self) -> bool:
        """
        Whether the guest waits for an answer.
        """
        return self._task is not None

    def begin(self, call: wire.DaprCall, *, timeout_s: float) -> None:
        """
        Begin a call. The answer goes to the worker.

        Args:
            call: What the guest asks for.
            timeout_s: How long it may take, in seconds.
        """
        self._count += 1
        self._lease.lend()
        self._task = asyncio.get_running_loop().create_task(self._call(call, timeout_s))

    def resumed(self) -> None:
        """
        Send the answer, if there is one: the guest has its run slot back.
        """
        answer = self._answer
        if answer is not None:
            self._answer = self._task = None
            self._connection.send(answer)

    def end(self) -> None:
        """
        Cancel the call, if there is one: the invocation has ended.
        """
        if self._task is not None:
            self._task.cancel()

    async def _call(self, call: wire.DaprCall, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        answer = _LIMIT
        if self._count <= self._function.limits.host_calls:
            answer = await self._ask(call, timeout_s)
        if DaprCalled in self._observers:
            self._observers.tell(
                DaprCalled(
                    invocation_id=self._invocation.id,
                    function=self._function.name,
                    method=call.method,
                    status=answer.status,
                    duration_s=loop.time() - began_s,
                )
            )
        self._log_failure(answer)
        self._answer = answer
        if self._lease.is_held:
            self.resumed()
        else:
            self._lease.reclaim()

    async def _ask(self, call: wire.DaprCall, timeout_s: float) -> wire.DaprAnswer:
        if self._api is None:
            return wire.DaprAnswer(wire.DaprStatus.UNAVAILABLE, "this server has no sidecar")
        return await self._api.call(call, self._invocation, self._function, timeout_s=timeout_s)

    def _log_failure(self, answer: wire.DaprAnswer) -> None:
        # A guest may go on after a failure and try again: its first one says enough.
        if answer.status is wire.DaprStatus.OK or self._has_failed:
            return
        if answer.status is wire.DaprStatus.UNAVAILABLE and not (self._api and self._api.has_sidecar):
            # The server has said so at its start, and functions may work well without it.
            return
        self._has_failed = True
        # With FAILED, the message begins with Dapr's own code.
        status = "" if answer.status is wire.DaprStatus.FAILED else answer.status.value.upper()
        _log.warning(
            "invocation %s: function '%s': call to Dapr: %s",
            self._invocation.id,
            self._function.name,
            ": ".join(filter(None, (status, answer.message))),
        )
