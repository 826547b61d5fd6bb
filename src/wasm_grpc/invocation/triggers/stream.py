"""Streamed invocations: route, run, send the response's header before its chunks, log failures."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from wasm_grpc.catalogue.routes import Route
from wasm_grpc.core.errors import GuestStatusError, InvocationError
from wasm_grpc.core.model import Reason, ResponseKind
from wasm_grpc.invocation.cgi import has_cgi_head, parse_cgi_response
from wasm_grpc.invocation.deployment import Deployment
from wasm_grpc.invocation.environment import origin_of
from wasm_grpc.invocation.response import (
    FAILURE_BODY_BYTES,
    Response,
    cgi_response,
    failure,
    plain_response,
)
from wasm_grpc.invocation.runner import Call, Runner
from wasm_grpc.invocation.triggers.invoke import Request, environment_of, log_failure
from wasm_grpc.manifest.tables import FunctionManifest
from wasm_grpc.pool.stream import Stream

__all__ = ["StreamedCall", "Streams"]


class StreamedCall:
    """
    One streamed invocation, as the server sees it. One task may send while another receives.
    """

    def __init__(self, function: FunctionManifest, stream: Stream) -> None:
        self._function = function
        self._stream = stream
        self._rest = b""

    async def started(self) -> None:
        """
        Wait until the guest has started.

        Raises:
            InvocationError: It ended before it started.
        """
        if not await self._stream.started():
            await self._check_outcome()

    async def send(self, chunk: bytes) -> bool:
        """
        See `Stream.send`.
        """
        return await self._stream.send(chunk)

    async def end_input(self) -> None:
        """
        See `Stream.end_input`.
        """
        await self._stream.end_input()

    def stop(self, reason: Reason, message: str) -> None:
        """
        See `Stream.stop`.
        """
        self._stream.stop(reason, message)

    async def header(self) -> Response:
        """
        Return the response's header. Call it once, before `chunks`.

        For a CGI response this waits until the guest has written its headers.

        Raises:
            InvocationError: The invocation failed.
        """
        if self._function.response is not ResponseKind.CGI:
            return plain_response(self._function)
        response = await self._cgi_response()
        self._rest = response.body
        return response

    async def chunks(self) -> AsyncIterator[bytes]:
        """
        Return the result in chunks, as the guest writes them.

        Raises:
            InvocationError: After the chunks, if the function failed and the result is incomplete.
        """
        if self._rest:
            yield self._rest
        while chunk := await self._stream.receive():
            yield chunk
        await self._check_outcome()

    async def _check_outcome(self) -> None:
        outcome = await self._stream.outcome()
        if outcome.reason is not Reason.OK:
            raise failure(outcome, self._function.name)

    async def _cgi_response(self) -> Response:
        output = await self._gather(b"", has_cgi_head)
        try:
            return cgi_response(output, self._function)
        except GuestStatusError:
            # The beginning of the body becomes the error message.
            output = await self._gather(output, _has_message)
            return cgi_response(output, self._function)

    async def _gather(self, output: bytes, is_enough: Callable[[bytes], bool]) -> bytes:
        while not is_enough(output):
            chunk = await self._stream.receive()
            if not chunk:
                await self._check_outcome()
                break
            output += chunk
        return output


def _has_message(output: bytes) -> bool:
    return len(parse_cgi_response(output).body) > FAILURE_BODY_BYTES


class Streams:
    """
    Runs streamed invocations.
    """

    def __init__(self, deployment: Deployment, runner: Runner) -> None:
        self._deployment = deployment
        self._runner = runner

    def next_id(self) -> str:
        """
        Return the id of the next invocation.
        """
        return self._runner.next_id()

    async def refusal(self) -> InvocationError:
        """
        Wait until every stream is refused; return what each is told.
        """
        return await self._runner.refusal()

    @contextlib.asynccontextmanager
    async def open(self, request: Request, invocation_id: str) -> AsyncIterator[StreamedCall]:
        """
        Run the function that serves this request. Leaving the context stops it.

        Args:
            request: The request, with an empty body.
            invocation_id: See `next_id`.

        Raises:
            InvocationError: The invocation failed. Errors raised inside the context are logged too.
        """
        try:
            async with self._open(request, invocation_id) as call:
                yield call
        except (InvocationError, asyncio.CancelledError) as exc:
            log_failure(exc, request, invocation_id)
            raise

    @contextlib.asynccontextmanager
    async def _open(self, request: Request, invocation_id: str) -> AsyncIterator[StreamedCall]:
        with self._runner.telling_refusal:
            route, function = self._deployment.find_method(request.method, request.verb)
            _check_streamable(route, function)
            env = environment_of(request, route, function, content_length=None)
        call = Call(
            body=b"",
            env=env,
            invocation_id=invocation_id,
            operation=route.call,
            origin=origin_of(request.metadata, with_trace=function.capabilities.dapr.is_granted),
        )
        async with self._runner.open_stream(function, call) as stream:
            yield StreamedCall(function, stream)


def _check_streamable(route: Route, function: FunctionManifest) -> None:
    if route.then:
        raise InvocationError(
            Reason.INVALID_REQUEST,
            f"function '{function.name}': its result is sent on by `then`, which needs it whole; "
            "expected a call that is not a stream",
            function=function.name,
        )
