"""Durations and sizes as people write them: "1m30s", "64MiB"."""

from __future__ import annotations

import re

from wasm_grpc.core.model import GIB, KIB, MIB

__all__ = [
    "DURATION_PATTERN",
    "SIZE_PATTERN",
    "format_duration",
    "format_size",
    "parse_duration",
    "parse_size",
]

# "m" must not take the first letter of "ms".
DURATION_PATTERN = r"^(?=.)(?:(\d{1,9})h)?(?:(\d{1,9})m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9})ms)?$"
"""Hours, minutes, seconds and milliseconds in this order, each at most once."""

SIZE_PATTERN = r"^(\d{1,15})(B|KiB|MiB|GiB)$"
"""A whole number and a binary unit (IEC 80000-13)."""

_SECONDS = (3600.0, 60.0, 1.0, 0.001)
_MILLISECONDS = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_BYTES = {"GiB": GIB, "MiB": MIB, "KiB": KIB, "B": 1}


def parse_duration(text: str) -> float | None:
    """
    Return a duration in seconds, or None if `text` isn't one.
    """
    match = re.fullmatch(DURATION_PATTERN, text, re.ASCII)
    if match is None:
        return None
    return sum(float(number) * unit for number, unit in zip(match.groups(), _SECONDS, strict=True) if number)


def format_duration(seconds: float) -> str:
    """
    Format a duration for `parse_duration`, to the millisecond.
    """
    # Whole milliseconds, since sums of floats such as 0.1 are not exact.
    rest = round(seconds * 1000)
    text = ""
    for unit, milliseconds in _MILLISECONDS.items():
        count, rest = divmod(rest, milliseconds)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_size(text: str) -> int | None:
    """
    Return a size in bytes, or None if `text` isn't one.
    """
    match = re.fullmatch(SIZE_PATTERN, text, re.ASCII)
    return None if match is None else int(match[1]) * _BYTES[match[2]]


def format_size(size: int) -> str:
    """
    Format a number of bytes in the largest unit that leaves a whole number.
    """
    unit = next(unit for unit, factor in _BYTES.items() if size % factor == 0 and (size or factor == 1))
    return f"{size // _BYTES[unit]}{unit}"
