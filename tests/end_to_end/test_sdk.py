"""Dapr's Python SDK as the caller, in a program of its own beside the caller's sidecar."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from end_to_end.app import APP_ID, App
from end_to_end.pictures import encoded, grey_difference, sample
from rig import child
from rig.environment import clean_environment

__all__ = []

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROGRAM = Path(__file__).with_name("sdk_caller.py")


async def call(
    app: App, protocol: str, method: str, body: bytes = b"", *, verb: str | None = None
) -> dict[str, str]:
    """Run the program to its end and return what it wrote."""
    protocols = {"DAPR_API_METHOD_INVOCATION_PROTOCOL": protocol}
    env = clean_environment({**app.caller.app_environment, **protocols})
    verbs = ["--verb", verb] if verb else []
    arguments = [APP_ID, method, "--body", body.hex(), *verbs]
    async with child(sys.executable, PROGRAM, *arguments, env=env) as program:
        answer = await program.line(r"^\{.*\}$", timeout_s=15)
    learnt: dict[str, str] = json.loads(answer.string)
    return learnt


@pytest.mark.parametrize(("protocol", "verb"), [("grpc", None), ("http", "POST")], ids=["gRPC", "HTTP"])
async def test_the_sdk_gets_a_grey_picture(app: App, protocol: str, verb: str | None) -> None:
    """`invoke_method` brings the grey picture and its type, whichever protocol it speaks."""
    picture = encoded(sample(), "PNG")

    answer = await call(app, protocol, "grayscale", picture, verb=verb)

    assert answer["content_type"] == "image/png"
    assert grey_difference(bytes.fromhex(answer["body"]), picture) == 0


@pytest.mark.parametrize(("protocol", "expected"), [("grpc", "POST"), ("http", "GET")])
async def test_a_call_without_a_verb(app: App, protocol: str, expected: str) -> None:
    """By gRPC no verb counts as POST; by HTTP the SDK sends GET."""
    answer = await call(app, protocol, "environment")

    environment = bytes.fromhex(answer["body"]).decode().split("\0")
    assert f"REQUEST_METHOD={expected}" in environment


async def test_the_sdk_learns_why_a_call_failed(app: App) -> None:
    """A failure reaches a program as an RpcError with code, sentence and ErrorInfo."""
    answer = await call(app, "grpc", "grayscale")

    assert answer == {
        "code": "INVALID_ARGUMENT",
        "message": "function 'grayscale': rejected the input: the body is empty;"
        " expected a JPEG, PNG, GIF, BMP or WebP picture",
        "reason": "REJECTED",
    }
