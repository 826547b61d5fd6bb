"""The CGI variables of a request."""

from __future__ import annotations

import time

import pytest

from wasm_grpc import __version__
from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.invocation.environment import request_environment

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
    """Return the variables of a request, of which only what is given is out of the ordinary."""
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
    "names that become another's": ([("x-a", "one"), ("x_a", "two"), ("x.a", "three")], {"HTTP_X_A": "one"}),
    "underscores and dots": ([("a_b", "1"), ("a.b", "2"), ("dapr_api_token", "secret")], {}),
    "another's caller id": (
        [("dapr_caller_app_id", "admin"), ("dapr-caller-app-id", "caller"), ("dapr.caller.app.id", "admin")],
        {"HTTP_DAPR_CALLER_APP_ID": "caller"},
    ),
    "a caller id where the sidecar gives none": ([("dapr_caller_app_id", "admin")], {}),
    "twice": ([("x", "one"), ("x", "two")], {"HTTP_X": "one, two"}),
    "prefixed beside plain": (
        [("accept", "text/*"), ("dapr-accept", "image/*")],
        {"HTTP_ACCEPT": "text/*, image/*"},
    ),
    "host": ([("dapr-host", "example")], {"HTTP_HOST": "example"}),
    "cookie": ([("dapr-cookie", "a=b")], {"HTTP_COOKIE": "a=b"}),
    "cookies": ([("dapr-cookie", "a=1"), ("dapr-cookie", "b=2; c=3")], {"HTTP_COOKIE": "a=1; b=2; c=3"}),
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
    "no keys of gRPC's": ([("", "1"), ("a=b", "1"), ("a b", "1"), ("caf\u00e9", "1"), ("a\0", "1")], {}),
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


HOSTS = {
    "name": ("example.org", "example.org", "80"),
    "name and port": ("example.org:8080", "example.org", "8080"),
    "IPv6": ("[::1]:80", "[::1]", "80"),
    "none": ("", "localhost", "80"),
    "no host": ("a b/c?", "localhost", "80"),
}


@pytest.mark.parametrize(("host", "name", "port"), HOSTS.values(), ids=HOSTS)
def test_a_cgi_guest_has_all_that_the_standard_demands(host: str, name: str, port: str) -> None:
    """RFC 3875, 4.1: what libraries for CGI programs read, and refuse to do without."""
    found = dict(
        request_environment(
            verb="GET",
            query="a=1",
            content_type="",
            content_length=0,
            path_info="/7",
            metadata=(("dapr-host", host),) if host else (),
            is_cgi=True,
            script_name="/orders",
        )
    )

    found.pop("HTTP_HOST", "")
    assert found == {
        **PLAIN,
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": "a=1",
        "PATH_INFO": "/7",
        "SCRIPT_NAME": "/orders",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": f"wasm-grpc/{__version__}",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "REMOTE_ADDR": "127.0.0.1",
    }


@pytest.mark.parametrize("key", ["dapr-caller-app-id", "dapr-caller-namespace", "dapr-callee-app-id"])
def test_a_caller_under_two_names(key: str) -> None:
    """What daprd says of a caller has one value: with the caller's own beside it the call is refused."""
    with pytest.raises(InvocationError) as caught:
        environment((key, "admin"), (key, "caller"))

    assert (caught.value.reason, str(caught.value)) == (
        Reason.INVALID_REQUEST,
        f"metadata {key}: appears twice; expected only the sidecar's value",
    )


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("grpc-python-asyncio/1.84.0 grpc-c/49.0.0 (linux; chttp2)", None),
        ("grpc-go/1.80.0", None),
        ("shop/2.1 grpc-python/1.84.0 grpc-c/49.0.0 (linux; chttp2)", "shop/2.1"),
        ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (X11; Linux x86_64)"),
        ("shop/2.1 (not grpc-like) grpc-go/1.80.0", "shop/2.1 (not grpc-like)"),
        ("shop \t grpc-go/1.80.0", "shop"),
        ("mygrpc-go/1.80.0", "mygrpc-go/1.80.0"),
    ],
    ids=[
        "Python's gRPC",
        "daprd's",
        "a program's, and gRPC's",
        "a browser's",
        "gRPC in its words",
        "white space",
        "a name that ends so",
    ],
)
def test_the_user_agent_is_the_clients_own_word(sent: str, expected: str | None) -> None:
    """What a library of gRPC says of itself isn't it."""
    env = dict(
        request_environment(
            verb="GET",
            query="",
            content_type="",
            content_length=0,
            path_info="",
            metadata=[("user-agent", sent)],
        )
    )

    assert env.get("HTTP_USER_AGENT") == expected


@pytest.mark.parametrize("piece", [" ", "\t", "grpc-", " grpc-", " grpc-/", "grpc- "])
def test_a_hostile_user_agent_costs_little(piece: str) -> None:
    """The server's loop reads it: 64 KiB, the most that is taken, held it up for 18 s."""
    sent = "shop/2.1 " + piece * (64 * 1024 // len(piece)) + " x"
    begun = time.process_time()

    env = environment(("user-agent", sent))

    assert time.process_time() - begun < 0.5
    assert env["HTTP_USER_AGENT"] == sent
