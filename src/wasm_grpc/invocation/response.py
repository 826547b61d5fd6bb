"""Turn a function's output, plain or CGI, into its response or an error."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from wasm_grpc.core.errors import GuestStatusError, InvocationError
from wasm_grpc.core.model import Outcome, Reason, ResponseKind, ResultKind
from wasm_grpc.core.text import one_line
from wasm_grpc.invocation.cgi import CgiError, CgiResponse, parse_cgi_response
from wasm_grpc.manifest.tables import FunctionManifest

__all__ = ["FAILURE_BODY_BYTES", "Response", "cgi_response", "failure", "plain_response", "response_of"]

_CONTENT_TYPE = "application/octet-stream"
"""Type of a result if neither the guest nor the manifest gives one."""
_STDERR_LIMIT_BYTES = 1024
FAILURE_BODY_BYTES = 1024
"""How much of the body becomes the error message when the guest's status is not 2xx."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """
    A function's response.

    Attributes:
        body: The result. In a stream: the part that arrived together with the CGI headers.
        content_type: Media type of the result.
        headers: Further headers, names in lower case.
        has_log: The function wrote to standard error, so the log has lines with the invocation's id.
    """

    body: bytes = b""
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()
    has_log: bool = False


def response_of(outcome: Outcome, function: FunctionManifest) -> Response:
    """
    Return the response of an invocation that has ended.

    Raises:
        InvocationError: The invocation failed, or the guest's response reports a failure.
    """
    if outcome.reason is not Reason.OK:
        raise failure(outcome, function.name)
    if function.response is ResponseKind.CGI:
        return cgi_response(outcome.body, function, stderr=outcome.stderr)
    return plain_response(function, outcome.body, stderr=outcome.stderr, kind=outcome.result_kind)


def plain_response(
    function: FunctionManifest,
    body: bytes = b"",
    *,
    stderr: bytes = b"",
    kind: ResultKind = ResultKind.UNTOLD,
) -> Response:
    """
    Return the response of a function that writes no headers.

    Args:
        function: The function.
        body: Its result.
        stderr: Its standard error.
        kind: What the result is, if its guest interface tells it. The manifest's content type counts more.
    """
    return Response(
        body=body,
        content_type=function.content_type or kind.media_type or _CONTENT_TYPE,
        has_log=bool(stderr),
    )


def cgi_response(output: bytes, function: FunctionManifest, *, stderr: bytes = b"") -> Response:
    """
    Return the response of a function that writes its headers first.

    Args:
        output: Its standard output. In a stream: the headers and the part of the body received so far.
        function: The function.
        stderr: Its standard error.

    Raises:
        InvocationError: BAD_RESPONSE if the output is not a CGI response.
        GuestStatusError: The guest's status is not 2xx.
    """
    try:
        response = parse_cgi_response(output)
    except CgiError as exc:
        outcome = Outcome(reason=Reason.BAD_RESPONSE, message=f"its response: {exc}", stderr=stderr)
        raise failure(outcome, function.name) from exc
    if not response.is_success:
        raise _status_failure(response, function.name)
    return Response(
        body=response.body,
        content_type=response.content_type or function.content_type or _CONTENT_TYPE,
        headers=response.headers,
        has_log=bool(stderr),
    )


def failure(outcome: Outcome, function: str) -> InvocationError:
    """
    Return the error of an outcome that is not OK, with the end of the guest's standard error.
    """
    said = _tail(outcome.stderr)
    if outcome.reason is Reason.REJECTED:
        message = f"function '{function}': rejected the input: {said or outcome.message}"
    else:
        message = f"function '{function}': {outcome.message}" + (f"; it said: {said}" if said else "")
    return InvocationError(outcome.reason, message, function=function, limit=outcome.limit)


def _status_failure(response: CgiResponse, function: str) -> GuestStatusError:
    """
    Return the error of a CGI response whose status is not 2xx. Its text is the body, else status and phrase.
    """
    text = _text(response.body) or " ".join(filter(None, (str(response.status), response.phrase)))
    return GuestStatusError(
        response.status, f"function '{function}': {text}", function=function, headers=response.headers
    )


def _tail(stderr: bytes) -> str:
    """
    Return the end of a guest's standard error as one line of valid text.
    """
    text = stderr[-_STDERR_LIMIT_BYTES:].decode("utf-8", "replace")
    if len(stderr) > _STDERR_LIMIT_BYTES and one_line(text):
        text = "…" + text
    return one_line(text)


def _text(body: bytes) -> str:
    """
    Return the beginning of a body as one line; "" if it is not text.
    """
    try:
        # An incremental decoder leaves out a character that the limit cuts in half.
        text = codecs.getincrementaldecoder("utf-8")().decode(body[:FAILURE_BODY_BYTES])
    except UnicodeDecodeError:
        return ""
    return one_line(text + "…" if len(body) > FAILURE_BODY_BYTES else text)
