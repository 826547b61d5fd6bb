"""CEL expressions, as daprd would read them."""

from __future__ import annotations

import sys

import pytest

from wasm_grpc.manifest.expressions import match_fault

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
        "event.urgent == true",
        "event.urgent && event.paid",
        "true",
    ],
)
def test_a_right_expression(expression: str) -> None:
    """What gives true or false is a rule."""
    assert match_fault(expression) is None


EXAMPLE = "'event.type == \"created\"'"


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("event.type = 'a'", "is not a rule: column 12: '=' is not an operator; expected '=='"),
        ("event.type ==", "is not a rule: column 14: unexpected end; expected a value"),
        ("(event.type == 'a'", "is not a rule: column 19: unexpected end; expected ')'"),
        ("event.type == 'a", "is not a rule: column 15: unterminated string; expected '"),
        ("", "is not a rule: column 1: unexpected end; expected a value"),
        ("a & b", "is not a rule: column 3: '&' is not an operator; expected '&&'"),
        (
            "event.type == 'a' and true",
            f"is not a rule: column 19: unexpected 'and'; expected an expression such as {EXAMPLE}",
        ),
        (
            "evnt.type == 'a'",
            "is not a rule: column 5: 'evnt.type' is unknown; expected 'event' or one of CEL's functions",
        ),
        (
            "startsWith(event.type, 'a')",
            "is not a rule: column 11: 'startsWith' is unknown; expected 'event' or one of CEL's functions",
        ),
        (
            "'a' == 1",
            f"is not a rule: column 5: '==' can't be applied to (string, int); expected an expression such as {EXAMPLE}",
        ),
        ("size(event.type)", f"gives int, not true or false; expected a comparison, such as {EXAMPLE}"),
        ("event", f"gives map<string, dyn>, not true or false; expected a comparison, such as {EXAMPLE}"),
        (
            "event.type",
            "may give any type, and daprd drops a message if it isn't a boolean; "
            f"expected a comparison, such as '(event.type) == true' or {EXAMPLE}",
        ),
        (
            "event.a ? event.b : true",
            "may give any type, and daprd drops a message if it isn't a boolean; "
            f"expected a comparison, such as '(event.a ? event.b : true) == true' or {EXAMPLE}",
        ),
    ],
)
def test_a_wrong_expression(expression: str, fault: str) -> None:
    """What daprd can't compile, or would never come up with, is said in one line."""
    assert match_fault(expression) == fault


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the CEL library every rule is refused, because daprd would find an error in it too late."""
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    match_fault.cache_clear()

    fault = match_fault("true")
    match_fault.cache_clear()

    assert (
        fault == "can't be checked without the package cel-expr-python; expected it, on CPython 3.11 or newer"
    )
