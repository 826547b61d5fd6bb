"""What the native apps answer, by method: the same as the functions, in Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.apps.grey import grey_png
from benchmarks.apps.litert import best_labels

__all__ = ["METHODS"]


def _echo(body: bytes) -> bytes:
    return body


def _spin(body: bytes) -> bytes:  # noqa: ARG001 - as the others
    while True:
        pass


METHODS: Mapping[str, Callable[[bytes], bytes]] = {
    "echo": _echo,
    "grayscale": grey_png,
    "classify": best_labels,
    "spin": _spin,
}
