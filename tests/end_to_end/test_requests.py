"""What a function learns of a request that came through sidecars, and what the caller gets back."""

from __future__ import annotations

import random

import pytest

from end_to_end.app import App
from rig import Reply

__all__ = []

pytestmark = pytest.mark.asyncio(loop_scope="session")

VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]  # the answer to HEAD has no body
BODIES = {
    "empty": b"",
    "every byte": bytes(range(256)),
    "no UTF-8": b"\xff\xfe\xc0\x80",
    "JSON": b'{"b": 1,  "a": [1.0]}\n',  # to come back with its spaces
    "1 MiB": random.randbytes(1 << 20),
}


def environment_of(reply: Reply) -> dict[str, str]:
    """Return the environment that the function `environment` had."""
    assert reply.status == 200, reply.body
    variables = (line.partition("=") for line in reply.body.decode().split("\0")[:-1])
    return {name: value for name, _, value in variables}


@pytest.mark.parametrize("verb", VERBS)
async def test_the_verb_reaches_the_function(app: App, verb: str) -> None:
    """The function knows the verb of the HTTP request."""
    reply = await app.invoke("environment", verb=verb)

    assert environment_of(reply)["REQUEST_METHOD"] == verb


@pytest.mark.parametrize("verb", ["PUT", "DELETE"])
async def test_a_verb_that_the_trigger_names_is_served(app: App, verb: str) -> None:
    """A trigger with verbs takes each of them."""
    reply = await app.invoke("put-or-delete", verb=verb)

    assert environment_of(reply)["REQUEST_METHOD"] == verb


async def test_the_request_is_in_the_environment(app: App) -> None:
    """Query, content type, length and the manifest's own variables are where CGI has them."""
    reply = await app.invoke(
        "environment?size=2&text=%20a+b%2F", b"12345", headers={"content-type": "text/x-own; charset=latin-1"}
    )

    expected = {
        "CONTENT_LENGTH": "5",
        "CONTENT_TYPE": "text/x-own; charset=latin-1",
        "GREETING": "hello",
        "PATH_INFO": "",
        "QUERY_STRING": "size=2&text=%20a+b%2F",
        "REQUEST_METHOD": "POST",
    }
    environment = environment_of(reply)
    assert {name: environment.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("method", "path_info"),
    [
        ("api/environment/one", "/one"),
        ("api/environment/one/two", "/one/two"),
        ("api/environment/a%20b/%C3%A9", "/a b/é"),
        ("/api/environment/one", "/one"),
        ("api/environment/one/../two", "/two"),  # cleaned by daprd
    ],
)
async def test_what_follows_a_prefix_is_the_path(app: App, method: str, path_info: str) -> None:
    """The rest of the method, decoded, is the function's `PATH_INFO`."""
    reply = await app.invoke(method)

    assert environment_of(reply)["PATH_INFO"] == path_info


async def test_headers_are_variables(app: App) -> None:
    """Headers arrive as `HTTP_*` under the names that their sender gave them, and so does who called."""
    headers = {"Accept": "image/png", "X-Custom": "one", "Cookie": "a=b", "Authorization": "Basic eA=="}

    environment = environment_of(await app.invoke("environment", headers=headers))

    expected = {
        "HTTP_ACCEPT": "image/png",
        "HTTP_AUTHORIZATION": "Basic eA==",
        "HTTP_COOKIE": "a=b",
        "HTTP_DAPR_CALLER_APP_ID": "caller",
        "HTTP_X_CUSTOM": "one",
    }
    assert {name: environment.get(name) for name in expected} == expected


async def test_secrets_are_withheld(app: App) -> None:
    """Neither token, nor a header that libraries take for the name of a proxy, reaches a function."""
    headers = {"Proxy": "http://evil.example"}

    environment = environment_of(await app.invoke("environment", headers=headers))

    tokens = (app.sidecar.app_token, app.caller.api_token)
    assert not [name for name, value in environment.items() if value in tokens]
    assert not {"HTTP_DAPR_API_TOKEN", "HTTP_PROXY", "APP_API_TOKEN"} & environment.keys()


@pytest.mark.parametrize(
    ("method", "content_type"),
    [("echo", "application/octet-stream"), ("environment", "text/plain; charset=utf-8")],
)
async def test_the_result_has_the_manifest_s_content_type(app: App, method: str, content_type: str) -> None:
    """The reply's content type is the function's, whatever that of the request was."""
    reply = await app.invoke(method, headers={"content-type": "image/png"})

    assert (reply.status, reply.headers["content-type"]) == (200, content_type)


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_comes_back_byte_for_byte(app: App, name: str) -> None:
    """Nothing on the way to the function and back changes a body."""
    reply = await app.invoke("echo", BODIES[name], headers={"content-type": "application/json"})

    assert (reply.status, reply.body) == (200, BODIES[name])
