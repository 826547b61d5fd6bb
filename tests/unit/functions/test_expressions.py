"""CEL expressions, as daprd would read them."""

from __future__ import annotations

import sys

import pytest

from wasm_grpc.functions.expressions import match_fault

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="cel-expr-python has no wheel for CPython 3.10"
)


@pytest.mark.parametrize(
    "expression",
    [
        'event.type == "image.uploaded"',
        "event.data.size > 10 && has(event.subject)",
        'event.type.startsWith("order.") || event["priority"] == 1',
        "event.data.items.exists(item, item.price > 100)",
        "event.urgent",
        "true",
    ],
)
def test_a_right_expression(expression: str) -> None:
    """What gives true or false, or may do so, is a rule."""
    assert match_fault(expression) is None


NOT_CEL = "is no CEL expression on 'event': column"


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("event.type = 'a'", f"{NOT_CEL} 12: Syntax error: token recognition error at: '= '"),
        ("evnt.type == 'a'", f"{NOT_CEL} 5: undeclared reference to 'evnt.type'"),
        ("startsWith(event.type, 'a')", f"{NOT_CEL} 11: undeclared reference to 'startsWith'"),
        ("lower(event.type) == 'a'", f"{NOT_CEL} 6: undeclared reference to 'lower'"),
        ("'a' == 1", f"{NOT_CEL} 5: found no matching overload for '_==_' applied to '(string, int)'"),
        ("size(event.type)", "gives int and not true or false"),
        ("event", "gives map<string, dyn> and not true or false"),
    ],
)
def test_a_wrong_expression(expression: str, fault: str) -> None:
    """What daprd can't compile, or would never come up with, is said in one line."""
    found = match_fault(expression) or ""

    assert found.startswith(fault)
    assert "\n" not in found


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library can't be had a rule is refused, since daprd would find its fault too late."""
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    match_fault.cache_clear()

    fault = match_fault("true")
    match_fault.cache_clear()

    assert fault == "can't be checked without the package cel-expr-python, which needs CPython 3.11 or newer"
