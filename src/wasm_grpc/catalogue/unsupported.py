"""Manifest features that are valid but not implemented in this version yet."""

from __future__ import annotations

from collections.abc import Iterator

from wasm_grpc.catalogue.function import Function

__all__ = ["unsupported_features"]


def unsupported_features(function: Function) -> list[str]:
    """
    Return one line for each key that `serve` must refuse; an empty list if the function can be served.
    """
    asked = _asked(is_remote=function.is_remote)
    return [
        function.format_problem(f"{key}: {what} not served by this version yet; expected {instead}")
        for key, what, instead in asked
    ]


def _asked(*, is_remote: bool) -> Iterator[tuple[str, str, str]]:
    if is_remote:
        yield "module", "remote modules are", "a file below the function's folder"
