"""The edge that every call passes: it is tracked, its token is checked, and an error becomes its status."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import NoReturn

import grpc

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.core.observers import Observers, RequestRefused
from wasm_grpc.server.answers import Answers
from wasm_grpc.server.failures import Context, abort, internal_error
from wasm_grpc.server.gate import Admission
from wasm_grpc.server.status import clip
from wasm_grpc.server.token import TokenCheck

__all__ = ["Call", "Calls"]

_log = logging.getLogger("wasm_grpc.server")


class Calls:
    """
    The calls to one server.
    """

    def __init__(
        self, answers: Answers, observers: Observers, *, token: str, is_event_token_checked: bool
    ) -> None:
        """
        Let calls in.

        Args:
            answers: Tracks unanswered calls.
            observers: Learn of refused calls.
            token: This app's API token; empty turns the check off.
            is_event_token_checked: Require it on event calls too; daprd before 1.16.2 sends none there.
        """
        self._answers = answers
        self._observers = observers
        self._token = TokenCheck(token, observers)
        self._event_token = TokenCheck(token if is_event_token_checked else "", observers)

    def invocation(self, context: Context, name: str, invocation_id: str) -> Call:
        """
        Let in a call that somebody waits for.

        Args:
            context: The call's context.
            name: The call's name, for the log.
            invocation_id: The id of the invocation that it starts.
        """
        return Call(
            context,
            self._answers,
            self._observers,
            name=name,
            token=self._token,
            invocation_id=invocation_id,
        )

    def admission(self, name: str, *, is_event: bool) -> Admission:
        """
        Return who may make a call, for the gate.

        Args:
            name: The call's name, for the log.
            is_event: It delivers an event.
        """

        async def refuse(context: Context) -> None:
            # The token is checked once more, and an error comes of it.
            async with self.event(context, name) if is_event else self.invocation(context, name, ""):
                pass

        return Admission((self._event_token if is_event else self._token).accepts, refuse)

    def event(self, context: Context, name: str) -> Call:
        """
        Let in a call that delivers an event. See `invocation`.
        """
        return Call(
            context, self._answers, self._observers, name=name, token=self._event_token, invocation_id=""
        )


class Call:
    """
    One call, as an asynchronous context: an error inside ends it with the error's status.

    Attributes:
        metadata: The call's metadata.
        has_answered: A message has been sent, and the initial metadata with it. Whoever sends one sets it.
    """

    def __init__(
        self,
        context: Context,
        answers: Answers,
        observers: Observers,
        *,
        name: str,
        token: TokenCheck,
        invocation_id: str,
    ) -> None:
        self.metadata = tuple(context.invocation_metadata() or ())
        self.has_answered = False
        self._context = context
        self._name = name
        self._answers = answers
        self._observers = observers
        self._token = token
        self._invocation_id = invocation_id

    # Not a generator made a context manager, which takes 1.3 µs longer.
    async def __aenter__(self) -> Call:
        self._answers.expect(self._context)
        try:
            self._token.check(self.metadata, self._name)
        except InvocationError as exc:
            await self._abort(exc)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, grpc.aio.AbortError):
            return
        if isinstance(error, InvocationError):
            await self._abort(error)
        if isinstance(error, grpc.aio.BaseError):
            # The call is over, since its caller is gone or the server has stopped: nobody hears more of it.
            raise asyncio.CancelledError from error
        if isinstance(error, Exception):
            # The last place to catch a bug of ours: gRPC would send its text to the caller.
            where = f"invocation {self._invocation_id}" if self._invocation_id else self._name
            await self._abort(internal_error(where))

    async def refuse(self, message: str) -> NoReturn:
        """
        Refuse an event that no function receives, so that Dapr delivers it again.
        """
        _log.warning("%s; the event is to be retried", message)
        self.tell_refusal(Reason.UNKNOWN_METHOD)
        await self.retry(message)

    async def retry(self, message: str) -> NoReturn:
        """
        End an event's call, so that Dapr delivers the event again.
        """
        # Not UNIMPLEMENTED or NOT_FOUND, each of which daprd takes for success in some of these calls.
        await self._context.abort(grpc.StatusCode.FAILED_PRECONDITION, clip(message))
        raise AssertionError("abort returned")

    async def discard(self, message: str) -> NoReturn:
        """
        End a job's call, so that Dapr takes the job for done although it failed.
        """
        # daprd counts NOT_FOUND as done (`invokeApp` in its pkg/runtime/scheduler/internal/cluster).
        await self._context.abort(grpc.StatusCode.NOT_FOUND, message)
        raise AssertionError("abort returned")

    def tell_refusal(self, reason: Reason) -> None:
        """
        Tell the observers that this call is refused before a function is called.
        """
        if RequestRefused in self._observers:
            self._observers.tell(RequestRefused(reason=reason))

    async def _abort(self, error: InvocationError) -> NoReturn:
        await abort(self._context, error, self._invocation_id, has_answered=self.has_answered)
