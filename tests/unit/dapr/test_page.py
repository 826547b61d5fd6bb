"""What docs/dapr.md says of calls to Dapr, against the code."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import DaprGrants, Reason
from wasm_grpc.dapr.guest_methods import METHODS
from wasm_grpc.invocation.outcomes import Crashes, Verdict, verdict_on
from wasm_grpc.manifest.tables import OutcomePolicy, Retry
from wasm_grpc.server.status import HTTP_CODES, STATUS_CODES

__all__ = []

PAGE = (Path(__file__).parents[3] / "docs" / "dapr.md").read_text("utf-8")
ENDINGS = re.findall(
    r"^\| [^|]+ \| `([A-Z_]+)`[^|]* \| `([A-Z_]+)` \| (\d+) \| `(\w+)`: (\w+) \|$", PAGE, re.MULTILINE
)
VERDICTS = {"dropped": Verdict.DROP, "retried": Verdict.RETRY}
OPPOSITES = {Retry.RETRY: Retry.DROP, Retry.DROP: Retry.RETRY}


def test_every_method_is_named() -> None:
    """The page lists the methods that may be called, and each of them among those that a grant allows."""
    (listed,) = re.findall(r"^\| operation \| (.+) \|$", PAGE, re.MULTILINE)
    grants = PAGE.split("\n## Grants\n")[1].split("\n## ")[0]

    assert set(re.findall(r"`(\w+)`", listed)) == set(METHODS)
    assert all(f"`{method}`" in grants for method in METHODS if not method.endswith("Alpha1"))


def test_every_kind_of_grant_is_named() -> None:
    """The table of grants has the kinds that there are, in their order."""
    grants = PAGE.split("\n## Grants\n")[1].split("\n## ")[0]

    kinds = re.findall(r"^\| `(\w+)` \|", grants, re.MULTILINE)

    assert kinds == [field.name for field in dataclasses.fields(DaprGrants)]


def test_the_endings_are_found() -> None:
    """The table of endings has those that calls to Dapr alone lead to."""
    assert {reason for reason, *_ in ENDINGS} >= {"DENIED", "UNSENT", "HOST_CALL_LIMIT"}


@pytest.mark.parametrize(("reason", "code", "http", "key", "verdict"), ENDINGS)
def test_an_ending(reason: str, code: str, http: str, key: str, verdict: str) -> None:
    """Its status and its verdict are those of the table, and that key of [outcome] changes the verdict."""
    error = InvocationError(Reason(reason), "")
    policy = OutcomePolicy()
    other = dataclasses.replace(policy, **{key: OPPOSITES[getattr(policy, key)]})

    given, changed = (verdict_on(error, each, crashes=Crashes(), message="1") for each in (policy, other))

    assert STATUS_CODES[Reason(reason)] is HTTP_CODES[int(http)]
    assert STATUS_CODES[Reason(reason)].name == code
    assert given is VERDICTS[verdict]
    assert changed is not given
