"""Whether an engine still gets fixes, by its version and the date."""

from __future__ import annotations

import datetime as dt

from wasm_grpc.core.model import EngineName

__all__ = ["age_note"]

_FIRST_MONTH = 2022 * 12 + 8
"""Wasmtime 1 was released in September 2022, counted in months from year 0."""
_RELEASE_DAY = 20
"""Each month brings a major version on this day (Wasmtime's documentation, "Release Process")."""
_SUPPORTED_MONTHS = 2
"""A version gets fixes until the second one after it is released. PyPI mostly gets the first of each only."""


def age_note(engine: EngineName, version: str, today: dt.date) -> str:
    """
    Return what to do about an engine that gets no more fixes; "" if it may get some.

    Args:
        engine: The engine.
        version: Its version, such as ``50.0.1``.
        today: The date.
    """
    major = version.partition(".")[0]
    if engine is not EngineName.WASMTIME or not major.isdecimal():
        return ""
    month = _FIRST_MONTH + int(major) - 1
    until_year, until_month = divmod(month + _SUPPORTED_MONTHS, 12)
    if today < dt.date(until_year, until_month + 1, _RELEASE_DAY):
        return ""
    released = dt.date(month // 12, month % 12 + 1, 1)
    return f"is of {released:%B %Y} and gets no more fixes; expected a newer one: SECURITY.md"
