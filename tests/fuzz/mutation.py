"""Change bytes at random, so that each input can be made again from its seed and its number."""

from __future__ import annotations

import random
from collections.abc import Sequence

__all__ = ["input_of", "mutated"]

_EDGES = tuple(
    number.to_bytes(size, "little")
    for size in (1, 2, 4, 8)
    for number in (0, 1, (1 << 8 * size - 1) - 1, 1 << 8 * size - 1, (1 << 8 * size) - 1)
)
"""Numbers at which an integer overflows, in every width."""
_CHANGES = (1, 1, 1, 2, 4, 16)
_REPEATS = (2, 3, 100)
_SIZES = (0, 1, 1, 2, 4, 8, 32)


def input_of(seeds: Sequence[bytes], words: Sequence[bytes], *, seed: int, number: int) -> bytes:
    """Return the input of this number: one of the seeds, changed."""
    chance = random.Random(f"{seed}:{number}")
    return mutated(chance.choice(seeds), chance, words=words, others=seeds)


def mutated(
    content: bytes, chance: random.Random, *, words: Sequence[bytes] = (), others: Sequence[bytes] = ()
) -> bytes:
    """
    Change, remove, repeat, move or insert some bytes.

    Args:
        content: The bytes.
        chance: Decides.
        words: Pieces that mean something to whoever reads the bytes.
        others: What a piece may come from.
    """
    changed = bytearray(content)
    for _ in range(chance.choice(_CHANGES)):
        at = chance.randrange(len(changed) + 1)
        end = min(len(changed), at + chance.choice(_SIZES))
        changed[at:end] = _piece(bytes(changed[at:end]), chance, words, others)
    return bytes(changed)


def _piece(old: bytes, chance: random.Random, words: Sequence[bytes], others: Sequence[bytes]) -> bytes:
    """Return what stands in place of a piece."""
    pieces = [
        b"",
        old * chance.choice(_REPEATS),
        chance.choice(_EDGES),
        chance.randbytes(max(1, len(old))),
    ]
    if old:
        pieces.append(bytes([old[0] ^ 1 << chance.randrange(8)]) + old[1:])
    if words:
        pieces.append(chance.choice(words))
    if others:
        other = chance.choice(others)
        at = chance.randrange(len(other) + 1)
        pieces.append(other[at : at + chance.choice(_SIZES)])
    return chance.choice(pieces)
