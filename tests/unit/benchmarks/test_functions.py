"""The functions that the benchmark serves."""

from __future__ import annotations

from pathlib import Path

from benchmarks.functions import lay_out
from wasm_grpc.catalogue.folder import read_functions


def test_no_function_calls_dapr(tmp_path: Path) -> None:
    """What is compared with others does nothing that they don't do, such as report what it did."""
    functions = read_functions(lay_out(None, tmp_path / "functions"))

    assert {function.name: function.manifest.capabilities.dapr.is_granted for function in functions} == {
        "echo": False,
        "grayscale": False,
    }
