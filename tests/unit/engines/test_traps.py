"""The sentence that a trap gets."""

from __future__ import annotations

import pytest

from wasm_grpc.engines.traps import UNREACHABLE, describe_trap


@pytest.mark.parametrize(
    ("functions", "expected"),
    [
        ([], "unreachable"),
        ([None, None], "unreachable"),
        (["inner", None, "outer"], "unreachable in inner < outer"),
        (["f", "f", "f", "g"], "unreachable in f < g"),
        ([str(number) for number in range(100)], "unreachable in 0 < 1 < 2 < 3 < 4"),
        (["a\nb\x1b[31m"], "unreachable in a?b?[31m"),
        (["x" * 200], "unreachable in " + "x" * 79 + "…"),
    ],
    ids=["nothing", "unnamed", "some-unnamed", "recursion", "deep", "unprintable", "long"],
)
def test_functions_are_named_briefly(functions: list[str | None], expected: str) -> None:
    """At most five names, each once in a row, cut and printable."""
    assert describe_trap(UNREACHABLE, functions) == expected


def test_names_are_demangled() -> None:
    """Rust's and C++'s names are shown as their authors wrote them."""
    described = describe_trap(
        "unreachable", ["_ZN4core9panicking5panic17h0123456789abcdefE", "_ZN3foo3barEi"]
    )

    assert described == "unreachable in core::panicking::panic < foo::bar"
