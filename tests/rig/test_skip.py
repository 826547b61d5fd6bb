"""Tests that need something which this machine lacks."""

from __future__ import annotations

import pytest

from rig.skip import missing, need


def test_a_person_sees_a_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside CI the test is skipped, with the reason."""
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match=r"^no daprd$"):
        missing("no daprd")


def test_ci_sees_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """In CI the test fails, with the reason."""
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match=r"^no daprd "):
        need(None, "no daprd")


def test_what_was_found_is_handed_on() -> None:
    """Nothing happens where nothing is missing."""
    assert need("/usr/bin/daprd", "no daprd") == "/usr/bin/daprd"
