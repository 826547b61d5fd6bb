"""
The CEL expressions of topic rules, checked before daprd reads them.

daprd 1.18 drops every subscription of an app for one expression that it can't compile, never comes
up where an expression calls an unknown function (it declares the name as a variable, over and over),
and fails each message where an expression names a variable other than ``event`` (``pkg/expr``).
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["match_fault"]

_PLACE = re.compile(r"<input>:\d+:(?P<column>\d+): (?P<what>[^\n]*)")
_CONTAINER = " (in container '')"


@lru_cache(maxsize=256)
def match_fault(expression: str) -> str | None:
    """
    Say what keeps an expression from being a rule on ``event``, or give None.

    Source: the Common Expression Language's specification, as its authors' own library checks it.
    """
    try:
        from cel_expr_python import cel  # noqa: PLC0415 - only where there is a rule; not on every Python
    except ImportError:
        return "can't be checked without the package cel-expr-python, which needs CPython 3.11 or newer"
    environment = cel.NewEnv(variables={"event": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})
    try:
        result = environment.compile(expression).return_type()
    except RuntimeError as exc:
        return _worded(str(exc))
    if result not in (cel.Type.BOOL, cel.Type.DYN):
        return f"gives {result.name().lower()} and not true or false"
    return None


def _worded(report: str) -> str:
    """
    Give the first error of the library's report as part of a sentence.
    """
    place = _PLACE.search(report)
    if place is None:
        return f"is no CEL expression ({' '.join(report.split())})"
    what = place["what"].removesuffix(" [INVALID_ARGUMENT]").replace(_CONTAINER, "")
    return f"is no CEL expression on 'event': column {place['column']}: {what}"
