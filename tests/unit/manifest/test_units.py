"""Durations and sizes as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm_grpc.manifest.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5.0),
        ("50ms", 0.05),
        ("1m30s", 90.0),
        ("1.5s", 1.5),
        ("2h", 7200.0),
        ("1h1m1s1ms", 3661.001),
        ("0s", 0.0),
        ("", None),
        ("5", None),
        ("s", None),
        ("-5s", None),
        ("5 s", None),
        ("5S", None),
        ("30s1m", None),
        ("1s1s", None),
        ("1.5m", None),
        ("5s\n", None),
        ("\u0665s", None),
    ],
)
def test_duration(text: str, seconds: float | None) -> None:
    """A duration is hours, minutes, seconds and milliseconds in this order; all else is none."""
    assert parse_duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64MiB", 64 << 20),
        ("16KiB", 16 << 10),
        ("2GiB", 2 << 30),
        ("7B", 7),
        ("0B", 0),
        ("", None),
        ("64", None),
        ("64MB", None),
        ("64 MiB", None),
        ("1.5MiB", None),
        ("-1B", None),
        ("64mib", None),
        ("1B\n", None),
    ],
)
def test_size(text: str, size: int | None) -> None:
    """A size is a whole number and a binary unit; all else is none."""
    assert parse_size(text) == size


@given(st.integers(min_value=0, max_value=2**49))
def test_a_written_size_is_read_back(size: int) -> None:
    """What `format_size` writes, `parse_size` reads as the same number of bytes."""
    assert parse_size(format_size(size)) == size


@given(st.integers(min_value=0, max_value=100 * 3_600_000))
def test_a_written_duration_is_read_back(milliseconds: int) -> None:
    """What `format_duration` writes, `parse_duration` reads as the same number of milliseconds."""
    seconds = parse_duration(format_duration(milliseconds / 1000))

    assert seconds is not None
    assert round(seconds * 1000) == milliseconds
