"""What a test needs and this machine lacks: skipped for a person, a failure in CI."""

from __future__ import annotations

import os
from typing import NoReturn, TypeVar

import pytest

__all__ = ["missing", "need"]

T = TypeVar("T")


def missing(reason: str) -> NoReturn:
    """Skip the running test for `reason`; fail it where `CI=true` promises that nothing is missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (a skip elsewhere, a failure in CI)", pytrace=False)
    pytest.skip(reason)


def need(found: T | None, reason: str) -> T:
    """Return what was found, or end the test with `reason` as `missing` does."""
    if found is None:
        missing(reason)
    return found
