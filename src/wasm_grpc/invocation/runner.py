"""One run of one function, whatever called it: from its input to its response, and where that goes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
from collections.abc import AsyncIterator, Iterator

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import KIB, Invocation, Outcome, Reason
from wasm_grpc.invocation.outputs import Output, Outputs
from wasm_grpc.invocation.response import Response, response_of
from wasm_grpc.manifest.tables import FunctionManifest
from wasm_grpc.pool.pool import Pool
from wasm_grpc.pool.stream import Stream

__all__ = ["Runner", "log_stderr"]

_ENV_CHARACTERS = 512 * KIB
"""Far more than HTTP's headers may have; in UTF-8 half of what the wire takes (``HEAD_LIMIT_BYTES``)."""

_LOGGED_LINES = 100
"""Of what a guest wrote to standard error, for each invocation: the last ones."""
_LOGGED_LINE_BYTES = 4 * KIB

_log = logging.getLogger("wasm_grpc.invocation")


class Runner:
    """
    Runs functions on one pool, sends their results on, and knows when nothing runs any more.
    """

    def __init__(self, pool: Pool, outputs: Outputs) -> None:
        self._pool = pool
        self._outputs = outputs
        self._draining = asyncio.Event()
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        # Distinct between servers and starts, and one increment a call.
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    async def drain(self) -> None:
        """
        Refuse every call from now on, and wait for those that run.
        """
        self._draining.set()
        await self._idle.wait()

    async def refusal(self) -> InvocationError:
        """
        Wait until every call is refused; return what each is told.
        """
        await self._draining.wait()
        return _draining()

    def stop(self) -> None:
        """
        End what still runs or waits after `drain`; its callers are told UNAVAILABLE.
        """
        self._pool.stop(
            Reason.DRAINING, "the server ended before it was done; expected to be called elsewhere"
        )

    def next_id(self) -> str:
        """
        Return the id of the next invocation.
        """
        return f"{self._prefix}-{next(self._numbers):x}"

    def capacity(self, function: str) -> int:
        """
        Return how many calls of a function may be handed in at once without filling its queue.
        """
        return self._pool.capacity(function)

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
        Run a function once; done when its result is where it belongs.

        Args:
            function: What is called.
            body: What the guest reads on standard input.
            env: Its environment, beside the manifest's.
            invocation_id: See `next_id`.
            output: Where the result goes beside the response.

        Raises:
            InvocationError: There is no result, or it did not get there. It is the caller's to log.
        """
        with self._counted():
            response = await self._run(function, body, env, invocation_id)
            if output is not None:
                await self._outputs.send(output, response)
            return response

    @contextlib.asynccontextmanager
    async def open_stream(
        self, function: FunctionManifest, *, env: tuple[tuple[str, str], ...], invocation_id: str
    ) -> AsyncIterator[Stream]:
        """
        Run a function once, its input and output streamed; leaving stops it.

        Args:
            function: What is called.
            env: Its environment, beside the manifest's.
            invocation_id: See `next_id`.

        Raises:
            InvocationError: It is not taken.
        """
        invocation = Invocation(id=invocation_id, function=function.name, body=b"", env=env)
        with self._counted():
            _check_env(function, env)
            async with self._pool.open_stream(invocation) as stream:
                yield stream

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        if self._draining.is_set():
            raise _draining()
        self._running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

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
        log_stderr(function.name, invocation_id, outcome)
        return response_of(outcome, function)


def _check_env(function: FunctionManifest, env: tuple[tuple[str, str], ...]) -> None:
    size = sum(len(name) + len(value) for name, value in env)
    if size > _ENV_CHARACTERS:
        raise InvocationError(
            Reason.INVALID_REQUEST,
            f"function '{function.name}': query, content type and metadata are an environment of "
            f"{size} characters; expected at most {_ENV_CHARACTERS}",
            function=function.name,
        )


def log_stderr(function: str, invocation_id: str, outcome: Outcome) -> None:
    """
    Log what a function said on standard error of a call that went well; a failure's is in its error.
    """
    if not outcome.stderr or outcome.reason is not Reason.OK or not _log.isEnabledFor(logging.INFO):
        return
    left_out, lines = _last_lines(outcome.stderr)
    if left_out:
        _log.info("function '%s' (invocation %s): … %d lines before these", function, invocation_id, left_out)
    for line in lines:
        text = line[:_LOGGED_LINE_BYTES].decode("utf-8", "replace").rstrip("\r")
        more = "…" if len(line) > _LOGGED_LINE_BYTES else ""
        _log.info("function '%s' (invocation %s): %s%s", function, invocation_id, text, more)


def _last_lines(stderr: bytes) -> tuple[int, list[bytes]]:
    """
    Return how many lines are left out, and the lines that are logged.
    """
    lines = stderr.rstrip(b"\r\n").rsplit(b"\n", _LOGGED_LINES)
    if len(lines) <= _LOGGED_LINES:
        return 0, lines
    return lines[0].count(b"\n") + 1, lines[1:]


def _draining() -> InvocationError:
    return InvocationError(Reason.DRAINING, "the server is draining; expected to be called elsewhere")
