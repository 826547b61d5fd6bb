"""The token that daprd sends."""

from __future__ import annotations

import pytest

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.server.environment import Metadata
from wasm_grpc.server.token import check_token


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
    check_token(expected, metadata)


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
        check_token("secret", metadata)

    assert caught.value.reason is Reason.UNAUTHENTICATED
    assert "secret" not in str(caught.value)
