"""The status, the headers and the content type of a function's own, as an HTTP caller sees them."""

from __future__ import annotations

import pytest

from end_to_end.app import App
from end_to_end.failures import Failure, failure_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_content_type_and_headers_reach_the_caller(app: App) -> None:
    """What the function writes as headers are headers of the HTTP response."""
    reply = await app.invoke(
        "cgi", b"Content-Type: text/csv\nX-Order: 5\nCache-Control: max-age=60\nContent-Length: 99\n\na,b\n"
    )

    assert (reply.status, reply.body) == (200, b"a,b\n")
    assert reply.headers["content-type"] == "text/csv"
    assert reply.headers["x-order"] == "5"
    assert reply.headers["cache-control"] == "max-age=60"
    assert reply.headers.get("content-length") != "99"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 429, 500, 501, 503, 504])
async def test_the_status_is_the_functions(app: App, status: int) -> None:
    """A status that Dapr has a code for comes out of the sidecar as it went in, with the body as its message."""
    reply = await app.invoke("cgi", b"Status: %d\nRetry-After: 5\n\nnot today\n" % status)

    assert failure_of(reply) == Failure(
        status=status, message="function 'cgi': not today", reason="STATUS", function="cgi"
    )
    assert reply.headers["retry-after"] == "5"


async def test_what_is_no_response_is_a_failure(app: App) -> None:
    """Output without header lines is an internal error that says what was expected."""
    reply = await app.invoke("cgi", b"hello\n\n")

    assert failure_of(reply) == Failure(
        status=500,
        message="function 'cgi': its response: line 'hello' is not a header; "
        "expected 'Name: value', then an empty line",
        reason="BAD_RESPONSE",
        function="cgi",
    )
