"""Run a function once, whoever called it: pass its input in, get its response, send that on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import KIB, OUTER, Invocation, Origin, Outcome, Reason
from wasm_grpc.core.observers import (
    InvocationAnswered,
    InvocationReceived,
    Observers,
    OutputSent,
    RequestRefused,
)
from wasm_grpc.invocation.output_requests import Output
from wasm_grpc.invocation.outputs import Outputs
from wasm_grpc.invocation.response import Response, response_of
from wasm_grpc.manifest.tables import FunctionManifest
from wasm_grpc.pool.pool import Pool
from wasm_grpc.pool.stream import Stream

__all__ = ["Call", "Runner"]

_ENV_CHARACTERS = 512 * KIB
"""Far more than HTTP headers hold. In UTF-8 it is half of what a frame takes (``HEAD_LIMIT_BYTES``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """
    One call of a function.

    Attributes:
        body: The guest's standard input; b"" if it is streamed.
        env: Environment variables, in addition to the manifest's.
        invocation_id: See `Runner.next_id`.
        operation: See `Invocation.operation`.
        output: Where the result goes besides the response.
        origin: Where the call comes from, for what the guest calls in turn.
    """

    body: bytes
    env: tuple[tuple[str, str], ...]
    invocation_id: str
    operation: str = ""
    output: Output | None = None
    origin: Origin = OUTER


class Runner:
    """
    Runs functions on one pool, sends their results on, and counts running invocations for `drain`.

    Attributes:
        telling_refusal: A context that tells the observers if what is done in it refuses the request; see
            `refused`.
    """

    def __init__(self, pool: Pool, outputs: Outputs, observers: Observers) -> None:
        self._pool = pool
        self._outputs = outputs
        self._observers = observers
        self.telling_refusal = _TellingRefusal(self)
        self._draining = asyncio.Event()
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        # The prefix is random, so that ids differ between servers and restarts; then a counter is enough.
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    async def drain(self) -> None:
        """
        Refuse new calls from now on, and wait until the running ones end.
        """
        self._draining.set()
        await self._idle.wait()

    async def refusal(self) -> InvocationError:
        """
        Wait until the server drains, and return the error that new calls get from then on.
        """
        await self._draining.wait()
        return _draining()

    def stop(self) -> None:
        """
        End calls that still run or wait after `drain`. Their callers get UNAVAILABLE.
        """
        self._pool.stop(
            Reason.DRAINING, "the server stopped before the call was done; expected a retry on another server"
        )

    def next_id(self) -> str:
        """
        Return the id of the next invocation.
        """
        return f"{self._prefix}-{next(self._numbers):x}"

    def capacity(self, function: str) -> int:
        """
        Return how many concurrent calls of a function leave room in its queue.
        """
        return self._pool.capacity(function)

    def batch_size(self, function: str) -> int:
        """
        Return how many calls of a function `run_batch` may be given.
        """
        return self._pool.batch_size(function)

    def refused(self, reason: Reason) -> None:
        """
        Tell the observers of a request that is refused before its function is called.
        """
        if RequestRefused in self._observers:
            self._observers.tell(RequestRefused(reason=reason))

    async def run(self, function: FunctionManifest, call: Call) -> Response:
        """
        Run a function once. Returns once its result has also been sent to the call's `output`.

        Raises:
            InvocationError: The function failed, or its result could not be sent. The caller logs it.
        """
        with self._counted(function, (call.invocation_id,)):
            outcome = await self._pool.invoke(_invocation(function, call))
            response = response_of(outcome, function)
            if call.output is not None:
                await self._send(call.output, response, function, call.invocation_id)
            return response

    async def run_batch(
        self, function: FunctionManifest, calls: Sequence[Call]
    ) -> list[InvocationError | None]:
        """
        Run a function once for each call, one after the other on one worker.

        Args:
            function: The function to run.
            calls: At least one, and at most `batch_size`.

        Returns:
            For each call: its error, or None if the function succeeded and its result was sent to `output`.

        Raises:
            InvocationError: None was run: QUEUE_FULL, DRAINING.
        """
        with self._counted(function, [call.invocation_id for call in calls]) as reasons:
            checked = [_checked(function, call) for call in calls]
            valid = [each for each in checked if isinstance(each, Invocation)]
            results = iter(await self._pool.invoke_batch(valid) if valid else ())
            responses = [
                each if isinstance(each, InvocationError) else _response(next(results), function)
                for each in checked
            ]
            errors: Sequence[InvocationError | None]
            if any(call.output is not None for call in calls):
                errors = await asyncio.gather(
                    *map(self._send_response, responses, calls, itertools.repeat(function))
                )
            else:
                errors = [_error(each) for each in responses]
            reasons[:] = [Reason.OK if each is None else each.reason for each in errors]
            return list(errors)

    @contextlib.asynccontextmanager
    async def open_stream(self, function: FunctionManifest, call: Call) -> AsyncIterator[Stream]:
        """
        Run a function once with streamed input and output. Leaving the context stops it.

        Raises:
            InvocationError: The invocation was refused.
        """
        with self._counted(function, (call.invocation_id,)):
            async with self._pool.open_stream(_invocation(function, call)) as stream:
                yield stream

    @contextlib.contextmanager
    def _counted(self, function: FunctionManifest, invocation_ids: Sequence[str]) -> Iterator[list[Reason]]:
        """
        Count invocations while they run, and tell the observers how each was answered.

        Gives the reasons that they will be told, all OK, for the caller to change. An error is that of all.
        """
        received_s = time.monotonic()
        if InvocationReceived in self._observers:
            for each in invocation_ids:
                self._observers.tell(InvocationReceived(invocation_id=each, function=function.name))
        self._running += len(invocation_ids)
        self._idle.clear()
        reasons = [Reason.OK] * len(invocation_ids)
        try:
            self._check_draining()
            yield reasons
        except BaseException as exc:
            reasons = [_reason_of(exc)] * len(invocation_ids)
            raise
        finally:
            self._running -= len(invocation_ids)
            if not self._running:
                # Wakes `drain`.
                self._idle.set()
            if InvocationAnswered in self._observers:
                duration_s = time.monotonic() - received_s
                for each, reason in zip(invocation_ids, reasons, strict=True):
                    self._observers.tell(
                        InvocationAnswered(
                            invocation_id=each, function=function.name, reason=reason, duration_s=duration_s
                        )
                    )

    def _check_draining(self) -> None:
        if self._draining.is_set():
            raise _draining()

    async def _send_response(
        self, response: Response | InvocationError, call: Call, function: FunctionManifest
    ) -> InvocationError | None:
        if isinstance(response, Response) and call.output is not None:
            try:
                await self._send(call.output, response, function, call.invocation_id)
            except InvocationError as exc:
                return exc
        return _error(response)

    async def _send(
        self, output: Output, response: Response, function: FunctionManifest, invocation_id: str
    ) -> None:
        await self._outputs.send(output, response)
        if OutputSent in self._observers:
            self._observers.tell(OutputSent(invocation_id=invocation_id, function=function.name))


class _TellingRefusal:
    """
    See `Runner.telling_refusal`. All calls share one, as it has no state: a generator for each takes longer.
    """

    __slots__ = ("_runner",)

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, InvocationError):
            self._runner.refused(error.reason)


def _invocation(function: FunctionManifest, call: Call) -> Invocation:
    size = len(call.body)
    if size > function.limits.body_bytes:
        raise InvocationError(
            Reason.BODY_TOO_LARGE,
            f"function '{function.name}': body of {size} bytes; "
            f"expected at most {function.limits.body_bytes}",
            function=function.name,
            limit="limits.body",
        )
    _check_env(function, call.env)
    return Invocation(
        id=call.invocation_id,
        function=function.name,
        body=call.body,
        env=call.env,
        operation=call.operation,
        origin=call.origin,
    )


def _checked(function: FunctionManifest, call: Call) -> Invocation | InvocationError:
    try:
        return _invocation(function, call)
    except InvocationError as exc:
        return exc


def _response(result: Outcome | InvocationError, function: FunctionManifest) -> Response | InvocationError:
    if isinstance(result, InvocationError):
        return result
    try:
        return response_of(result, function)
    except InvocationError as exc:
        return exc


def _error(response: Response | InvocationError) -> InvocationError | None:
    return response if isinstance(response, InvocationError) else None


def _check_env(function: FunctionManifest, env: tuple[tuple[str, str], ...]) -> None:
    size = sum(len(name) + len(value) for name, value in env)
    if size > _ENV_CHARACTERS:
        raise InvocationError(
            Reason.INVALID_REQUEST,
            f"function '{function.name}': query, content type and metadata make an environment of "
            f"{size} characters; expected at most {_ENV_CHARACTERS}",
            function=function.name,
        )


def _reason_of(error: BaseException) -> Reason:
    """
    Return what the caller is told of an error that ended an invocation.
    """
    if isinstance(error, InvocationError):
        return error.reason
    # An exception is a bug of ours. What is none ends the task, because the caller is gone.
    return Reason.INTERNAL if isinstance(error, Exception) else Reason.CANCELLED


def _draining() -> InvocationError:
    return InvocationError(Reason.DRAINING, "the server is draining; expected a retry on another server")
