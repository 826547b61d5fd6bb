"""How arguments are read."""

from __future__ import annotations

import argparse

import pytest

from wasm_grpc.cli.arguments import duration, duration_or_zero, header, setting_flags, size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5.0), ("0.5", 0.5), ("5s", 5.0), ("1m30s", 90.0), ("250ms", 0.25), ("1h", 3600.0)],
)
def test_a_duration(text: str, seconds: float) -> None:
    """A duration has units, or counts seconds."""
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-5s", "5 s", "s", "inf", "nan", "1e3", "5d", "."])
def test_no_duration(text: str) -> None:
    """Nothing, a negative time or an unknown unit is no duration."""
    with pytest.raises(
        argparse.ArgumentTypeError, match="is not a duration; expected one such as 5s or 1m30s"
    ):
        duration(text)


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("0s", 0.0), ("4s", 4.0)])
def test_a_duration_that_may_be_none(text: str, seconds: float) -> None:
    """Where no time at all makes sense, zero is taken."""
    assert duration_or_zero(text) == seconds


def test_a_size() -> None:
    """A size has a binary unit."""
    assert size("64MiB") == 64 * 1024 * 1024


@pytest.mark.parametrize("text", ["", "64", "64MB", "-1MiB", "1.5MiB", "0B"])
def test_no_size(text: str) -> None:
    """A size without its unit, or of nothing, is refused."""
    with pytest.raises(argparse.ArgumentTypeError, match="is not a size; expected one such as 64MiB"):
        size(text)


@pytest.mark.parametrize(
    ("text", "pair"),
    [("x-a=b", ("x-a", "b")), ("a=", ("a", "")), ("a=b=c d", ("a", "b=c d")), ("a_b.c=~", ("a_b.c", "~"))],
)
def test_a_header(text: str, pair: tuple[str, str]) -> None:
    """A header is cut at the first equals sign."""
    assert header(text) == pair


@pytest.mark.parametrize("text", ["", "a", "=b", "A=b", "a b=c", "é=b", "a=é", "a=b\n", "a=\x7f", "a-bin=b"])
def test_no_header(text: str) -> None:
    """What gRPC's metadata can't hold is refused before a call is made."""
    with pytest.raises(argparse.ArgumentTypeError, match="header; expected key=value"):
        header(text)


def test_flags_that_are_settings() -> None:
    """Of a command's options those are settings that were given and are named like one."""
    options = argparse.Namespace(port=0, host=None, only=["a"], folder="functions", timeout=1.0)

    assert setting_flags(options) == {"port": 0, "only": ("a",)}
