"""
Check the CEL expressions of topic rules before daprd reads them.

Bad expressions do great damage in daprd 1.18 (``pkg/expr``). If one doesn't compile, daprd drops every
subscription of the app. If one calls an unknown function, daprd never starts: it declares the name as a
variable over and over. If one names a variable other than ``event``, every message fails.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["match_fault"]

_PLACE = re.compile(r"<input>:\d+:(?P<column>\d+): (?P<what>[^\n]*)")
_SYNTAX = "Syntax error: "
_CONTAINER = " (in container '')"
_WORDINGS = (
    (re.compile(r"token recognition error at: '= ?'"), "'=' is not an operator; expected '=='"),
    (
        re.compile(r"token recognition error at: '(?P<at>[&|]).*'"),
        "'{at}' is not an operator; expected '{at}{at}'",
    ),
    (
        re.compile(r"token recognition error at: '(?P<at>[\"']).*'"),
        "unterminated string; expected {at}",
    ),
    (re.compile(r"token recognition error at: '(?P<at>.+)'"), "unexpected '{at}'"),
    (re.compile(r"missing '(?P<at>.+)' at '<EOF>'"), "unexpected end; expected '{at}'"),
    (
        re.compile(r"(mismatched|extraneous) input '<EOF>' expecting '(?P<at>.+)'"),
        "unexpected end; expected '{at}'",
    ),
    (re.compile(r"(mismatched|extraneous) input '<EOF>'.*"), "unexpected end; expected a value"),
    (
        re.compile(r"(mismatched|extraneous) input '(?P<at>.+)' expecting <EOF>"),
        "unexpected '{at}'",
    ),
    (
        re.compile(r"(mismatched|extraneous) input '(?P<at>.+?)' expecting .*"),
        "unexpected '{at}'; expected a value",
    ),
    (re.compile(r"no viable alternative at input '(?P<at>.+)'"), "unexpected '{at}'"),
    (
        re.compile(r"undeclared reference to '(?P<at>.+)'"),
        "'{at}' is unknown; expected 'event' or one of CEL's functions",
    ),
    (
        re.compile(r"found no matching overload for '[_@]?(?P<at>.+?)_?' applied to '\((?P<types>.*)\)'"),
        "'{at}' can't be applied to ({types})",
    ),
)
"""The library's messages, which are those of its parser, and clearer ones for the author of a manifest."""


@lru_cache(maxsize=256)
def match_fault(expression: str) -> str | None:
    """
    Return what is wrong with a rule on ``event``, and what is expected; None if it is valid.

    Source: the specification of the Common Expression Language, as its authors' own library implements it.
    """
    try:
        from cel_expr_python import cel  # noqa: PLC0415 - only where there is a rule; not on every Python
    except ImportError:
        return "can't be checked without the package cel-expr-python; expected it, on CPython 3.11 or newer"
    environment = cel.NewEnv(variables={"event": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})
    try:
        result = environment.compile(expression).return_type()
    except RuntimeError as exc:
        return _worded(str(exc))
    if result == cel.Type.DYN:
        # If a rule's result is not a boolean, daprd drops the message and tries no further rule.
        return (
            "may give any type, and daprd drops a message if it isn't a boolean; "
            f"expected a comparison, such as '({expression}) == true' or 'event.type == \"created\"'"
        )
    if result != cel.Type.BOOL:
        return f"gives {result.name().lower()}, not true or false; expected a comparison, such as {_EXAMPLE}"
    return None


_EXAMPLE = "'event.type == \"created\"'"


def _worded(report: str) -> str:
    """
    Return the first error of the library's report, in our words.
    """
    place = _PLACE.search(report)
    if place is None:
        return f"is not a CEL expression; expected one such as {_EXAMPLE}"
    what = place["what"].removesuffix(" [INVALID_ARGUMENT]").removeprefix(_SYNTAX).replace(_CONTAINER, "")
    for pattern, wording in _WORDINGS:
        if match := pattern.fullmatch(what):
            what = wording.format(**match.groupdict())
            break
    # The library's columns begin with 1, but with 0 for unknown names.
    expected = "" if "; expected " in what else f"; expected an expression such as {_EXAMPLE}"
    return f"is not a rule: column {place['column']}: {what}{expected}"
