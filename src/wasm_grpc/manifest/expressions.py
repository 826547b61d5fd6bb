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
_SYNTAX = "Syntax error: "
_CONTAINER = " (in container '')"
_WORDINGS = (
    (re.compile(r"token recognition error at: '= ?'"), "'=' compares nothing; expected '=='"),
    (
        re.compile(r"token recognition error at: '(?P<at>[&|]).*'"),
        "'{at}' is no operator; expected '{at}{at}'",
    ),
    (
        re.compile(r"token recognition error at: '(?P<at>[\"']).*'"),
        "a text begins that does not end; expected {at}",
    ),
    (re.compile(r"token recognition error at: '(?P<at>.+)'"), "'{at}' can't stand there"),
    (re.compile(r"missing '(?P<at>.+)' at '<EOF>'"), "it ends too early; expected '{at}'"),
    (
        re.compile(r"(mismatched|extraneous) input '<EOF>' expecting '(?P<at>.+)'"),
        "it ends too early; expected '{at}'",
    ),
    (re.compile(r"(mismatched|extraneous) input '<EOF>'.*"), "it ends too early; expected a value"),
    (
        re.compile(r"(mismatched|extraneous) input '(?P<at>.+)' expecting <EOF>"),
        "'{at}' can't follow what stands before it",
    ),
    (
        re.compile(r"(mismatched|extraneous) input '(?P<at>.+?)' expecting .*"),
        "'{at}' can't stand there; expected a value",
    ),
    (re.compile(r"no viable alternative at input '(?P<at>.+)'"), "'{at}' can't be read"),
    (
        re.compile(r"undeclared reference to '(?P<at>.+)'"),
        "'{at}' is unknown; expected 'event' or one of CEL's functions",
    ),
    (
        re.compile(r"found no matching overload for '[_@]?(?P<at>.+?)_?' applied to '\((?P<types>.*)\)'"),
        "'{at}' can't be applied to ({types})",
    ),
)
"""The library's complaints, which are those of its parser, and what they mean to a person."""


@lru_cache(maxsize=256)
def match_fault(expression: str) -> str | None:
    """
    Say what keeps an expression from being a rule on ``event``, and what to write; return None if it is one.

    Source: the Common Expression Language's specification, as its authors' own library checks it.
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
        # daprd drops a message for which a rule gives anything but a boolean, and asks no further rule.
        return (
            "may give any type, and a message for which it gives no boolean is lost; "
            f"expected a comparison, such as '({expression}) == true' or 'event.type == \"created\"'"
        )
    if result != cel.Type.BOOL:
        return f"gives {result.name().lower()}, not true or false; expected a comparison, such as {_EXAMPLE}"
    return None


_EXAMPLE = "'event.type == \"created\"'"


def _worded(report: str) -> str:
    """
    Return the first error of the library's report as the rest of a sentence of ours.
    """
    place = _PLACE.search(report)
    if place is None:
        return f"is no CEL expression; expected one such as {_EXAMPLE}"
    what = place["what"].removesuffix(" [INVALID_ARGUMENT]").removeprefix(_SYNTAX).replace(_CONTAINER, "")
    for pattern, wording in _WORDINGS:
        if match := pattern.fullmatch(what):
            what = wording.format(**match.groupdict())
            break
    # The library counts from 1, but from 0 where a name is unknown.
    expected = "" if "; expected " in what else f"; expected an expression such as {_EXAMPLE}"
    return f"is no rule: column {place['column']}: {what}{expected}"
