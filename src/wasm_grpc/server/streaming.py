"""Streamed invocations: route, run, the answer's header before its chunks, log the failures."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Outcome, Reason, ResponseKind
from wasm_grpc.functions.catalogue import Catalogue
from wasm_grpc.functions.manifest import FunctionManifest
from wasm_grpc.pool.stream import Stream
from wasm_grpc.server.cgi import CgiError, CgiResponse, has_cgi_head, parse_cgi_response
from wasm_grpc.server.invocations import Request, environment_of, log_failure
from wasm_grpc.server.runner import Runner, content_type_of, log_stderr
from wasm_grpc.server.status import FAILURE_BODY_BYTES, cgi_failure, failure

__all__ = ["AnswerHeader", "StreamedCall", "Streams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerHeader:
    """
    What the caller learns before the result.

    Attributes:
        content_type: Of the result.
        headers: Further headers, names in lower case.
    """

    content_type: str
    headers: tuple[tuple[str, str], ...] = ()


class StreamedCall:
    """
    A streamed invocation, seen by what carries its messages. One task may send while another receives.
    """

    def __init__(self, function: FunctionManifest, stream: Stream, invocation_id: str) -> None:
        self._function = function
        self._stream = stream
        self._invocation_id = invocation_id
        self._rest = b""

    async def started(self) -> None:
        """
        Wait until the guest runs.

        Raises:
            InvocationError: It never does.
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

    async def header(self) -> AnswerHeader:
        """
        Give the header: of a CGI response once the guest has written it, else at once. Called once, first.

        Raises:
            InvocationError: There is no result.
        """
        default = content_type_of(self._function)
        if self._function.response is not ResponseKind.CGI:
            return AnswerHeader(content_type=default)
        response = await self._cgi_response()
        if not 200 <= response.status < 300:
            raise cgi_failure(response, self._function.name)
        self._rest = response.body
        return AnswerHeader(content_type=response.content_type or default, headers=response.headers)

    async def chunks(self) -> AsyncIterator[bytes]:
        """
        Give the result, as it comes.

        Raises:
            InvocationError: After its chunks: it is not whole.
        """
        if self._rest:
            yield self._rest
        while chunk := await self._stream.receive():
            yield chunk
        await self._check_outcome()

    async def _check_outcome(self) -> None:
        outcome = await self._stream.outcome()
        log_stderr(self._function.name, self._invocation_id, outcome)
        if outcome.reason is not Reason.OK:
            raise failure(outcome, self._function.name)

    async def _cgi_response(self) -> CgiResponse:
        output = await self._gather(b"", has_cgi_head)
        try:
            response = parse_cgi_response(output)
            if not 200 <= response.status < 300:
                # Its body becomes the message, or what of it there is room for.
                enough = len(output) - len(response.body) + FAILURE_BODY_BYTES
                output = await self._gather(output, lambda output: len(output) > enough)
                response = parse_cgi_response(output)
        except CgiError as exc:
            outcome = Outcome(reason=Reason.BAD_RESPONSE, message=f"its response: {exc}")
            raise failure(outcome, self._function.name) from exc
        return response

    async def _gather(self, output: bytes, is_enough: Callable[[bytes], bool]) -> bytes:
        while not is_enough(output):
            chunk = await self._stream.receive()
            if not chunk:
                await self._check_outcome()
                break
            output += chunk
        return output


class Streams:
    """
    Answers the streamed invocations of one catalogue.
    """

    def __init__(self, catalogue: Catalogue, runner: Runner) -> None:
        self._catalogue = catalogue
        self._runner = runner

    def next_id(self) -> str:
        """
        Give the id of the next invocation.
        """
        return self._runner.next_id()

    @contextlib.asynccontextmanager
    async def open(self, request: Request, invocation_id: str) -> AsyncIterator[StreamedCall]:
        """
        Run the function that serves this request; leaving stops it.

        Args:
            request: Without a body.
            invocation_id: See `next_id`.

        Raises:
            InvocationError: There is no result. What is raised inside is logged too.
        """
        try:
            async with self._open(request, invocation_id) as call:
                yield call
        except (InvocationError, asyncio.CancelledError) as exc:
            log_failure(exc, request, invocation_id)
            raise

    @contextlib.asynccontextmanager
    async def _open(self, request: Request, invocation_id: str) -> AsyncIterator[StreamedCall]:
        route = self._catalogue.route(request.method, request.verb)
        function = self._catalogue.functions[route.function].manifest
        if route.then is not None:
            raise InvocationError(
                Reason.INVALID_REQUEST,
                f"function '{function.name}': its result goes on by `then`, which takes it whole; "
                "expected a call that is no stream",
                function=function.name,
            )
        env = environment_of(request, route, function, content_length=None)
        async with self._runner.open_stream(function, env=env, invocation_id=invocation_id) as stream:
            yield StreamedCall(function, stream, invocation_id)
