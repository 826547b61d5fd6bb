"""The CGI variables of a request."""

from __future__ import annotations

import pytest

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.server.environment import request_environment

PLAIN = {
    "REQUEST_METHOD": "POST",
    "QUERY_STRING": "",
    "CONTENT_TYPE": "",
    "CONTENT_LENGTH": "0",
    "PATH_INFO": "",
}


def environment(
    *metadata: tuple[str, str | bytes], withheld: tuple[str, ...] = (), **given: str
) -> dict[str, str]:
    """Give the variables of a request, of which only what is given is out of the ordinary."""
    request = {"verb": "POST", "query": "", "content_type": "", "path_info": "", **given}
    pairs = request_environment(
        verb=request["verb"],
        query=request["query"],
        content_type=request["content_type"],
        path_info=request["path_info"],
        content_length=0,
        metadata=metadata,
        withheld=withheld,
    )
    found = dict(pairs)
    assert len(found) == len(pairs), "a variable twice"
    return found


def test_every_variable_is_there_without_a_value() -> None:
    """The five variables of the request itself are set even where there is nothing to say; no verb is POST."""
    assert environment(verb="") == PLAIN


def test_the_request_itself() -> None:
    """Verb, query, content type and path are taken as they came."""
    found = environment(verb="PUT", query="a=1&b=%20", content_type="image/png", path_info="/5/é")

    assert found == {
        **PLAIN,
        "REQUEST_METHOD": "PUT",
        "QUERY_STRING": "a=1&b=%20",
        "CONTENT_TYPE": "image/png",
        "PATH_INFO": "/5/é",
    }


METADATA: dict[str, tuple[list[tuple[str, str | bytes]], dict[str, str]]] = {
    "plain": ([("x-request-id", "7")], {"HTTP_X_REQUEST_ID": "7"}),
    "punctuation": ([("a.b_c-d", "1")], {"HTTP_A_B_C_D": "1"}),
    "twice": ([("x", "one"), ("x", "two")], {"HTTP_X": "one, two"}),
    "two spellings": ([("x-a", "one"), ("x_a", "two")], {"HTTP_X_A": "one, two"}),
    "prefixed beside plain": (
        [("accept", "text/*"), ("dapr-accept", "image/*")],
        {"HTTP_ACCEPT": "text/*, image/*"},
    ),
    "host": ([("dapr-host", "example")], {"HTTP_HOST": "example"}),
    "cookie": ([("dapr-cookie", "a=b")], {"HTTP_COOKIE": "a=b"}),
    "caller": ([("dapr-caller-app-id", "web")], {"HTTP_DAPR_CALLER_APP_ID": "web"}),
    "trace": ([("traceparent", "00-1")], {"HTTP_TRACEPARENT": "00-1"}),
    "authorization": ([("authorization", "Bearer x")], {"HTTP_AUTHORIZATION": "Bearer x"}),
    "NUL": ([("x", "a\0b")], {"HTTP_X": "ab"}),
    "prefixed content type": ([("dapr-content-type", "text/html")], {}),
    "content length": ([("content-length", "5")], {}),
    "gRPC's content type": ([("content-type", "application/grpc")], {}),
    "token": ([("dapr-api-token", "secret")], {}),
    "proxy": ([("proxy", "http://evil")], {}),
    "prefixed proxy": ([("dapr-proxy", "http://evil")], {}),
    "binary key": ([("trace-bin", b"\1")], {}),
    "binary key, text": ([("trace-bin", "text")], {}),
    "bytes": ([("x", b"bytes")], {}),
    "gRPC's own": ([("grpc-timeout", "1S"), ("te", "trailers"), (":path", "/")], {}),
}


@pytest.mark.parametrize(("metadata", "added"), METADATA.values(), ids=METADATA)
def test_metadata(metadata: list[tuple[str, str | bytes]], added: dict[str, str]) -> None:
    """A key becomes HTTP_*, what daprd prefixed by its own name; secrets, proxies and binary values stay out."""
    assert environment(*metadata) == {**PLAIN, **added}


def test_what_the_manifest_sets_stays() -> None:
    """A caller can't replace a variable that the function's author set."""
    found = environment(
        ("x-a", "caller"), ("x-b", "caller"), withheld=("HTTP_X_A", "QUERY_STRING"), query="q"
    )

    assert found == {**{k: v for k, v in PLAIN.items() if k != "QUERY_STRING"}, "HTTP_X_B": "caller"}


@pytest.mark.parametrize(
    ("is_cgi", "withheld", "expected"),
    [(True, (), "CGI/1.1"), (False, (), None), (True, ("GATEWAY_INTERFACE",), None)],
    ids=["cgi", "raw", "set by the manifest"],
)
def test_only_a_cgi_guest_is_told_so(
    *, is_cgi: bool, withheld: tuple[str, ...], expected: str | None
) -> None:
    """GATEWAY_INTERFACE is set where header lines are expected, so that one program can serve both ways."""
    found = dict(
        request_environment(
            verb="GET",
            query="",
            content_type="",
            content_length=0,
            path_info="",
            metadata=(),
            withheld=withheld,
            is_cgi=is_cgi,
        )
    )

    assert found.get("GATEWAY_INTERFACE") == expected


@pytest.mark.parametrize("key", ["dapr-caller-app-id", "dapr-caller-namespace", "dapr-callee-app-id"])
def test_a_caller_under_two_names(key: str) -> None:
    """What daprd says of a caller has one value: with the caller's own beside it the call is refused."""
    with pytest.raises(InvocationError) as caught:
        environment((key, "admin"), (key, "caller"))

    assert (caught.value.reason, str(caught.value)) == (
        Reason.INVALID_REQUEST,
        f"metadata {key}: came twice; expected the sidecar's word on it alone",
    )
