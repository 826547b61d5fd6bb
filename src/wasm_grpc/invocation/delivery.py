"""What becomes of a message that a function runs on: the verdict for Dapr, and a log line for a failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.invocation.outcomes import Crashes, Verdict, verdict_on
from wasm_grpc.manifest.tables import OutcomePolicy

__all__ = ["Delivered", "Deliveries", "Message"]

_T = TypeVar("_T")


class Message(Protocol):
    """
    What Dapr delivers, and delivers again after a failure: a topic's message, a binding's event, a job.
    """

    @property
    def identity(self) -> Hashable:
        """
        What tells it from every other message of every function, the same at each delivery.
        """
        ...

    def __str__(self) -> str:
        """
        Return what the log calls it: ``message 'a' of pubsub/images``.
        """
        ...


@dataclass(frozen=True, slots=True)
class Delivered(Generic[_T]):
    """
    What became of a message.

    Attributes:
        verdict: What daprd does with it.
        result: What its run returned; None if it failed.
        error: Why it failed; None if it succeeded, or for a bug of the server, which has been logged.
    """

    verdict: Verdict
    result: _T | None
    error: InvocationError | None


class Deliveries:
    """
    The messages of one kind of trigger on their way. Safe for concurrent deliveries.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._crashes = Crashes()

    async def settle(
        self, running: Awaitable[object], *, message: Message, policy: OutcomePolicy, invocation_id: str
    ) -> Verdict:
        """
        Wait until a function has run for a message, and return the verdict on it. Never fails.

        Args:
            running: The run. It may raise any error.
            message: The message.
            policy: The function's ``[outcome]``.
            invocation_id: The run's id, for the log.
        """
        delivered = await self.deliver(running, message=message, policy=policy, invocation_id=invocation_id)
        return delivered.verdict

    async def deliver(
        self, running: Awaitable[_T], *, message: Message, policy: OutcomePolicy, invocation_id: str
    ) -> Delivered[_T]:
        """
        Settle a message, and return its run's result or error besides the verdict. See `settle`.
        """
        result: _T | None = None
        error: InvocationError | None = None

        async def errors() -> list[InvocationError | None]:
            nonlocal result, error
            try:
                result = await running
            except InvocationError as exc:
                error = exc
            return [error]

        (verdict,) = await self.settle_batch(
            errors(), messages=[message], policy=policy, invocation_ids=[invocation_id]
        )
        return Delivered(verdict, result, error)

    async def settle_batch(
        self,
        running: Awaitable[Sequence[InvocationError | None]],
        *,
        messages: Sequence[Message],
        policy: OutcomePolicy,
        invocation_ids: Sequence[str],
    ) -> list[Verdict]:
        """
        Wait until a function has run for each message, and return the verdicts in order. Never fails.

        Args:
            running: The runs. Its result is each one's error; an error that it raises is that of all.
            messages: The messages.
            policy: See `settle`.
            invocation_ids: The id of each run.
        """
        try:
            errors = await running
        except InvocationError as exc:
            errors = [exc] * len(messages)
        except asyncio.CancelledError:
            for message, invocation_id in zip(messages, invocation_ids, strict=True):
                self._log.warning(
                    "%s (invocation %s): CANCELLED: daprd no longer waits", message, invocation_id
                )
            raise
        except Exception:  # noqa: BLE001 - the edge
            # A bug of the server: log the traceback and have the messages retried.
            for message, invocation_id in zip(messages, invocation_ids, strict=True):
                self._log.exception("%s (invocation %s): internal error", message, invocation_id)
            return [Verdict.RETRY] * len(messages)
        return [
            self.verdict(error, message=message, policy=policy, invocation_id=invocation_id)
            for error, message, invocation_id in zip(errors, messages, invocation_ids, strict=True)
        ]

    def verdict(
        self,
        error: InvocationError | None,
        *,
        message: Message,
        policy: OutcomePolicy,
        invocation_id: str,
    ) -> Verdict:
        """
        Return the verdict on a message whose run has ended, and log its failure.

        Args:
            error: Why it failed; None if it succeeded.
            message: See `settle`.
            policy: See `settle`.
            invocation_id: See `settle`.
        """
        if error is None:
            # The identity takes time to find, and nearly always no message has crashed.
            if self._crashes:
                self._crashes.forget(message.identity)
            return Verdict.SUCCESS
        verdict = verdict_on(error, policy, crashes=self._crashes, message=message.identity)
        end = "dropped" if verdict is Verdict.DROP else "to be retried"
        self._log.warning(
            "%s (invocation %s) is %s: %s: %s", message, invocation_id, end, error.reason.value, error
        )
        return verdict
