"""What a model is trained and measured on: tensors of the real function, and which digits they are."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from function import Function
from pictures import picture
from sources import Digit, drawn, printed, stroked, written

__all__ = ["SIDE", "Examples", "held_back", "to_learn"]

SIDE = 28
OPTIONS = {"INPUT": f"{SIDE}x{SIDE}x1:u8", "FIT": "ink"}
SEED = 20261125
# How many pictures are made of each digit, so that each source has its say.
COPIES = {"written": 8, "drawn": 5, "printed": 5, "stroked": 12}
SOURCES = {"written": written, "drawn": drawn, "printed": printed, "stroked": stroked}


@dataclass(frozen=True, slots=True)
class Examples:
    """Tensors of shape (count, SIDE, SIDE, 1), bytes, and the digit of each."""

    tensors: npt.NDArray[np.uint8]
    values: npt.NDArray[np.int64]


def to_learn() -> Examples:
    """Return what a model may learn from, in an order that depends on the seed alone."""
    tasks = [
        (source, index, copy)
        for source, copies in COPIES.items()
        for index, digit in enumerate(digits(source))
        if not digit.is_held_back
        for copy in range(copies)
    ]
    order = np.random.default_rng(SEED).permutation(len(tasks))
    tensors, values = _examples(tasks[index] for index in order)
    # Of some too little is left to be found.
    is_found = tensors.any(axis=(1, 2, 3))
    return Examples(tensors[is_found], values[is_found])


def held_back(source: str) -> Examples:
    """Return what a source keeps for measuring, one picture a digit."""
    tasks = ((source, index, 0) for index, digit in enumerate(digits(source)) if digit.is_held_back)
    return Examples(*_examples(tasks))


@cache
def digits(source: str) -> list[Digit]:
    return list(SOURCES[source]())


def _examples(
    tasks: Iterator[tuple[str, int, int]],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    for source in SOURCES:
        digits(source)  # before the processes part, so that all have them
    with multiprocessing.get_context("fork").Pool(2) as pool:
        tensors, values = zip(*pool.imap(_example, tasks, chunksize=64), strict=True)
    return np.stack(tensors), np.array(values)


@cache
def _function() -> Function:
    return Function(OPTIONS)


def _example(task: tuple[str, int, int]) -> tuple[npt.NDArray[np.uint8], int]:
    """A tensor and its digit; a black one where the function finds nothing on the picture."""
    source, index, copy = task
    digit = digits(source)[index]
    chance = np.random.default_rng([SEED, *source.encode(), index, copy])
    file = picture(digit.mask, chance, is_drawn=source != "printed")
    try:
        tensor = _function().tensor(file)
    except ValueError:
        tensor = np.zeros(SIDE * SIDE, np.uint8)
    return tensor.reshape(SIDE, SIDE, 1), digit.value
