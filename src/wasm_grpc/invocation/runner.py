"""Run a function once, whoever called it: pass its input in, get its response, send that on."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Iterator

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import KIB, Invocation, Reason
from wasm_grpc.core.observers import (
    InvocationAnswered,
    InvocationReceived,
    Observers,
    OutputSent,
    RequestRefused,
)
from wasm_grpc.invocation.outputs import Output, Outputs
from wasm_grpc.invocation.response import Response, response_of
from wasm_grpc.manifest.tables import FunctionManifest
from wasm_grpc.pool.pool import Pool
from wasm_grpc.pool.stream import Stream

__all__ = ["Runner"]

_ENV_CHARACTERS = 512 * KIB
"""Far more than HTTP headers hold. In UTF-8 it is half of what a frame takes (``HEAD_LIMIT_BYTES``)."""


class Runner:
    """
    Runs functions on one pool, sends their results on, and counts running invocations for `drain`.
    """

    def __init__(self, pool: Pool, outputs: Outputs, observers: Observers) -> None:
        self._pool = pool
        self._outputs = outputs
        self._observers = observers
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

    def refused(self, reason: Reason) -> None:
        """
        Tell the observers of a request that is refused before its function is called.
        """
        if RequestRefused in self._observers:
            self._observers.tell(RequestRefused(reason=reason))

    @contextlib.contextmanager
    def telling_refusal(self) -> Iterator[None]:
        """
        Tell the observers if what is done here refuses the request; see `refused`.
        """
        try:
            yield
        except InvocationError as exc:
            self.refused(exc.reason)
            raise

    async def run(
        self,
        function: FunctionManifest,
        body: bytes,
        *,
        env: tuple[tuple[str, str], ...],
        invocation_id: str,
        output: Output | None = None,
    ) -> Response:
        """
        Run a function once. Returns once its result has also been sent to `output`.

        Args:
            function: The function to run.
            body: The guest's standard input.
            env: Environment variables, in addition to the manifest's.
            invocation_id: See `next_id`.
            output: Where the result goes besides the response.

        Raises:
            InvocationError: The function failed, or its result could not be sent. The caller logs it.
        """
        with self._counted(function, invocation_id):
            response = await self._run(function, body, env, invocation_id)
            if output is not None:
                await self._outputs.send(output, response)
                if OutputSent in self._observers:
                    self._observers.tell(OutputSent(invocation_id=invocation_id, function=function.name))
            return response

    @contextlib.asynccontextmanager
    async def open_stream(
        self, function: FunctionManifest, *, env: tuple[tuple[str, str], ...], invocation_id: str
    ) -> AsyncIterator[Stream]:
        """
        Run a function once with streamed input and output. Leaving the context stops it.

        Args:
            function: The function to run.
            env: Environment variables, in addition to the manifest's.
            invocation_id: See `next_id`.

        Raises:
            InvocationError: The invocation was refused.
        """
        invocation = Invocation(id=invocation_id, function=function.name, body=b"", env=env)
        with self._counted(function, invocation_id):
            _check_env(function, env)
            async with self._pool.open_stream(invocation) as stream:
                yield stream

    @contextlib.contextmanager
    def _counted(self, function: FunctionManifest, invocation_id: str) -> Iterator[None]:
        received_s = time.monotonic()
        if InvocationReceived in self._observers:
            self._observers.tell(InvocationReceived(invocation_id=invocation_id, function=function.name))
        self._running += 1
        self._idle.clear()
        reason = Reason.OK
        try:
            self._check_draining()
            yield
        except BaseException as exc:
            reason = _reason_of(exc)
            raise
        finally:
            self._running -= 1
            if not self._running:
                # Wakes `drain`.
                self._idle.set()
            if InvocationAnswered in self._observers:
                self._observers.tell(
                    InvocationAnswered(
                        invocation_id=invocation_id,
                        function=function.name,
                        reason=reason,
                        duration_s=time.monotonic() - received_s,
                    )
                )

    def _check_draining(self) -> None:
        if self._draining.is_set():
            raise _draining()

    async def _run(
        self, function: FunctionManifest, body: bytes, env: tuple[tuple[str, str], ...], invocation_id: str
    ) -> Response:
        if len(body) > function.limits.body_bytes:
            raise InvocationError(
                Reason.BODY_TOO_LARGE,
                f"function '{function.name}': body of {len(body)} bytes; "
                f"expected at most {function.limits.body_bytes}",
                function=function.name,
                limit="limits.body",
            )
        _check_env(function, env)
        invocation = Invocation(id=invocation_id, function=function.name, body=body, env=env)
        outcome = await self._pool.invoke(invocation)
        return response_of(outcome, function)


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
