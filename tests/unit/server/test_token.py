"""The token that daprd sends."""

from __future__ import annotations

import pytest

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.core.observers import Observers
from wasm_grpc.invocation.environment import Metadata
from wasm_grpc.server.token import TokenCheck


@pytest.mark.parametrize(
    ("expected", "metadata"),
    [
        ("", []),
        ("", [("dapr-api-token", "any")]),
        ("sécret", [("dapr-api-token", "sécret")]),
        ("secret", [("dapr-api-token", b"secret")]),
        ("secret", [("x", "y"), ("dapr-api-token", "wrong"), ("dapr-api-token", "secret")]),
    ],
    ids=["none asked for", "none asked for, one sent", "beyond ASCII", "bytes", "twice"],
)
def test_the_right_token(expected: str, metadata: Metadata) -> None:
    """A call that carries the token passes; without one to expect, every call does."""
    TokenCheck(expected, Observers()).check(metadata, "OnInvoke")


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [("dapr-api-token", "")],
        [("dapr-api-token", "Secret")],
        [("dapr-api-token", "secret, secret")],
        [("authorization", "secret")],
    ],
    ids=["missing", "empty", "case", "joined", "another key"],
)
def test_a_wrong_token(metadata: Metadata) -> None:
    """A call that doesn't carry it is refused, and not told what was wrong with it."""
    with pytest.raises(InvocationError) as caught:
        TokenCheck("secret", Observers()).check(metadata, "OnInvoke")

    assert caught.value.reason is Reason.UNAUTHENTICATED
    assert "secret" not in str(caught.value)


def test_a_refused_call_is_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line a second tells of all refused calls, and never what they carried."""
    now_s = iter([100.0, 100.5, 100.9, 101.5])
    monkeypatch.setattr("wasm_grpc.server.token.time.monotonic", lambda: next(now_s))
    token = TokenCheck("secret", Observers())

    for call in ("OnInvoke", "OnTopicEvent", "OnInvoke", "Functions.Invoke"):
        with pytest.raises(InvocationError):
            token.check([("dapr-api-token", "guess")], call)

    why = "metadata dapr-api-token: missing or wrong; expected the token of this app (APP_API_TOKEN)"
    assert [record.getMessage() for record in caplog.records] == [
        f"OnInvoke refused: UNAUTHENTICATED: {why}",
        f"Functions.Invoke refused: UNAUTHENTICATED: {why} (and 2 more calls since the last such line)",
    ]
