"""How failures look to somebody who calls by HTTP through sidecars."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from end_to_end.app import App
from end_to_end.failures import Failure, failure_of

__all__ = []

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A call that fails, and how."""

    method: str
    body: bytes = b""
    verb: str = "POST"
    failure: Failure


CASES = {
    "unknown method": Case(
        method="greyscale",
        failure=Failure(
            status=404,
            message="no function serves method 'greyscale'; did you mean 'grayscale'?",
            reason="UNKNOWN_METHOD",
        ),
    ),
    "wrong verb": Case(
        method="put-or-delete",
        verb="GET",
        failure=Failure(
            status=400,
            message="method 'put-or-delete': verb GET is not served; expected PUT or DELETE",
            reason="VERB_NOT_ALLOWED",
            function="environment",
        ),
    ),
    "no picture": Case(
        method="grayscale",
        body=b"a letter",
        failure=Failure(
            status=400,
            message="function 'grayscale': rejected the input: the body is not a picture that this function can read;"
            " expected a JPEG, PNG, GIF, BMP or WebP picture",
            reason="REJECTED",
            function="grayscale",
        ),
    ),
    "no body": Case(
        method="grayscale",
        failure=Failure(
            status=400,
            message="function 'grayscale': rejected the input: the body is empty;"
            " expected a JPEG, PNG, GIF, BMP or WebP picture",
            reason="REJECTED",
            function="grayscale",
        ),
    ),
    "body over the limit": Case(
        method="environment",
        body=bytes(1025),
        failure=Failure(
            status=429,
            message="function 'environment': body of 1025 bytes; expected at most 1024",
            reason="BODY_TOO_LARGE",
            function="environment",
            limit="limits.body",
        ),
    ),
    "time limit": Case(
        method="spin",
        failure=Failure(
            status=504,
            message="function 'spin': ran longer than 0.3 s",
            reason="TIMEOUT",
            function="spin",
            limit="limits.timeout",
        ),
    ),
    "trap": Case(
        method="trap",
        failure=Failure(
            status=500,
            message="function 'trap': unreachable; it said: out of cheese",
            reason="TRAPPED",
            function="trap",
        ),
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_each_failure_has_its_http_status(app: App, name: str) -> None:
    """The caller gets the status, one sentence, and the same for programs; nothing of the host's folders."""
    case = CASES[name]

    reply = await app.invoke(case.method, case.body, verb=case.verb)

    assert failure_of(reply) == case.failure
    told = f"{reply.headers} {reply.body.decode()}"
    for folder in (sys.prefix, str(Path.home()), "/tmp/", "site-packages"):  # noqa: S108 - to be found nowhere
        assert folder not in told


async def test_a_failure_can_be_found_in_the_log(app: App) -> None:
    """The invocation id that the caller gets, in the error and as a header, is in the server's log line."""
    reply = await app.invoke("trap")

    invocation_id = failure_of(reply).invocation_id
    assert reply.headers["wasm-grpc-invocation-id"] == invocation_id
    line = await app.server.process.stderr.match(rf"invocation {invocation_id}: TRAPPED: ")
    assert line.string.endswith("function 'trap': unreachable; it said: out of cheese")


async def test_what_a_function_says_can_be_found_in_the_log(app: App) -> None:
    """Where a function that went well wrote to its standard error, the reply has the id of the log line."""
    reply = await app.invoke("nap")

    assert (reply.status, reply.body) == (200, b"rested")
    invocation_id = reply.headers["wasm-grpc-invocation-id"]
    await app.server.process.stderr.match(rf"function 'nap' \(invocation {invocation_id}\): resting$")
