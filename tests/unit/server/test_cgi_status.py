"""The code and the message of what a guest answers with an HTTP status."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from pydantic import TypeAdapter

from wasm_grpc.core.errors import GuestStatusError
from wasm_grpc.invocation.response import cgi_response
from wasm_grpc.manifest.tables import FunctionManifest
from wasm_grpc.server.status import Status, status_of

ORDERS = TypeAdapter(FunctionManifest).validate_python(
    {"name": "orders", "module": "orders.wasm", "trigger": {"invoke": [{"method": "orders"}]}}
)

# HTTPStatusFromCode in daprd's pkg/messaging/v1/util.go.
DAPR_HTTP_STATUS = {
    "CANCELLED": 408,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
}


def answered(output: bytes) -> Status:
    """Return the status of a call whose guest wrote `output`."""
    with pytest.raises(GuestStatusError) as caught:
        cgi_response(output, ORDERS)
    return status_of(caught.value, "id-1")


@pytest.mark.parametrize("http_status", sorted(set(DAPR_HTTP_STATUS.values())))
def test_an_http_caller_sees_the_guests_status(http_status: int) -> None:
    """A status of Dapr's table gets a code that daprd turns back into it."""
    status = answered(b"Status: %d\n\n" % http_status)

    assert DAPR_HTTP_STATUS[status.code.name] == http_status


@pytest.mark.parametrize(
    ("http_status", "code"),
    [
        (302, "UNKNOWN"),
        (405, "INVALID_ARGUMENT"),
        (422, "INVALID_ARGUMENT"),
        (499, "INVALID_ARGUMENT"),
        (502, "INTERNAL"),
        (599, "INTERNAL"),
    ],
)
def test_other_statuses_count_as_their_class(http_status: int, code: str) -> None:
    """A status beyond Dapr's table counts as 400 or 500; gRPC has no redirection."""
    assert answered(b"Status: %d\n\n" % http_status).code is grpc.StatusCode[code]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"no order 5\n", "no order 5"),
        (b"no order 5\r\nsorry\0", "no order 5 | sorry"),
        (b"", "404 Not Found"),
        (b"\xff\xd8\xff", "404 Not Found"),
        (b"\n \n", "404 Not Found"),
        (b"x" * 1025, "x" * 1024 + "…"),
        (b"x" * 1023 + "ä".encode(), "x" * 1023 + "…"),
    ],
    ids=["text", "lines", "empty", "a picture", "blank", "long", "cut in a character"],
)
def test_the_message_is_the_body(body: bytes, text: str) -> None:
    """The message is the body's text on one line, cut where it is long, or the status without one."""
    assert answered(b"Status: 404\n\n" + body).message == f"function 'orders': {text}"


def test_the_details_name_the_http_status() -> None:
    """A client needn't parse text: the ErrorInfo has the reason STATUS and the guest's HTTP status."""
    details = status_pb2.Status.FromString(answered(b"Status: 422\n\nbad").details)
    info = error_details_pb2.ErrorInfo()
    details.details[0].Unpack(info)

    assert details.message == "function 'orders': bad"
    assert info.reason == "STATUS"
    assert dict(info.metadata) == {"invocation_id": "id-1", "function": "orders", "http_status": "422"}
