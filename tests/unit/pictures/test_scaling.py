"""Scaling against its definition, and what holds for every picture and every size."""

from __future__ import annotations

import importlib.util

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixels.files import noise
from pixels.reference import bilinear, smooth
from wasm_grpc.pictures.protocol import Scaling

if importlib.util.find_spec("numpy") is None:
    pytest.skip("NumPy is not installed; expected 'wasm-grpc[pictures]'", allow_module_level=True)

import numpy as np

from wasm_grpc.pictures.bilinear import scale_bilinearly
from wasm_grpc.pictures.smooth import Bytes, scale_smoothly

__all__ = []

SIDES = st.integers(1, 40)
SIZES = st.tuples(SIDES, SIDES)
SEEDS = st.integers(0, 1000)
SCALINGS = st.sampled_from(Scaling)

TABLE = {
    "the same size": ((5, 7), (5, 7)),
    "both grow": ((5, 4), (13, 9)),
    "both shrink": ((31, 40), (7, 11)),
    "wider and lower": ((9, 30), (20, 12)),
    "narrower and higher": ((30, 9), (12, 20)),
    "grows over a block": ((10, 3), (100, 5)),
    "shrinks over a block": ((90, 70), (65, 33)),
    "by one": ((12, 13), (11, 14)),
    "to one pixel": ((20, 15), (1, 1)),
    "from one pixel": ((1, 1), (4, 3)),
    "from one column": ((1, 9), (5, 4)),
    "from one row": ((9, 1), (4, 5)),
    "more input than a piece": ((2500, 2), (3, 2)),
}


def scaled(pixels: Bytes, size: tuple[int, int], scaling: Scaling) -> Bytes:
    """Return a picture at another size: width and height."""
    out = np.empty((size[1], size[0], 3), np.uint8)
    if scaling is Scaling.SMOOTH:
        scale_smoothly(pixels, None, out)
    else:
        scale_bilinearly(pixels, None, out)
    return out


def picture(size: tuple[int, int], seed: int) -> Bytes:
    """Return noise."""
    return np.array(noise(*size, seed=seed), np.uint8)


@pytest.mark.parametrize(("size", "to"), TABLE.values(), ids=TABLE)
def test_smooth_scaling(size: tuple[int, int], to: tuple[int, int]) -> None:
    """Each channel is the weighted mean of the definition, within one of 255."""
    rows = noise(*size)

    found = scaled(np.array(rows, np.uint8), to, Scaling.SMOOTH)

    expected = np.clip(np.array(smooth(rows, *to)), 0, 255)
    assert np.abs(found - expected).max() <= 0.51


@pytest.mark.parametrize(("size", "to"), TABLE.values(), ids=TABLE)
def test_smooth_scaling_of_floats(size: tuple[int, int], to: tuple[int, int]) -> None:
    """Floats are neither rounded nor clamped: beside an edge they leave the range of the levels."""
    rows = noise(*size)
    levels = np.linspace(-1, 1, 256, dtype=np.float32)
    out = np.empty((to[1], to[0], 3), np.float32)

    scale_smoothly(np.array(rows, np.uint8), levels, out)

    assert np.abs(out - np.array(smooth(rows, *to, lambda byte: float(levels[byte])))).max() < 1e-5


@pytest.mark.parametrize(("size", "to"), TABLE.values(), ids=TABLE)
def test_bilinear_scaling(size: tuple[int, int], to: tuple[int, int]) -> None:
    """Each channel is the mean of the definition; one that is nearly whole may be truncated either way."""
    rows = noise(*size)

    found = scaled(np.array(rows, np.uint8), to, Scaling.BILINEAR)

    assert np.abs(found - np.array(bilinear(rows, *to))).max() <= 1


def test_bilinear_scaling_truncates() -> None:
    """Half of a unit is lost, as by a cast in C++."""
    pixels = np.array([[[0, 10, 254], [255, 13, 255]]], np.uint8)

    assert scaled(pixels, (3, 1), Scaling.BILINEAR)[0, 1].tolist() == [127, 11, 254]


@pytest.mark.parametrize("scaling", Scaling)
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (33, 64), (65, 31)])
def test_the_same_size_is_a_copy(size: tuple[int, int], scaling: Scaling) -> None:
    """No byte changes."""
    pixels = picture(size, 1)

    assert (scaled(pixels, size, scaling) == pixels).all()


@settings(deadline=None)
@given(SIZES, SIZES, st.tuples(*[st.integers(0, 255)] * 3), SCALINGS)
def test_one_colour_stays_one_colour(
    size: tuple[int, int], to: tuple[int, int], colour: tuple[int, int, int], scaling: Scaling
) -> None:
    """At every size; truncation may take one of it."""
    pixels = np.full((size[1], size[0], 3), colour, np.uint8)

    found = scaled(pixels, to, scaling).astype(int)

    lost = np.array(colour) - found
    assert lost.min() == 0 or scaling is Scaling.BILINEAR
    assert 0 <= lost.min() <= lost.max() <= (scaling is Scaling.BILINEAR)


@settings(deadline=None)
@given(SIZES, SIZES, SEEDS)
def test_a_mirrored_picture_is_mirrored(size: tuple[int, int], to: tuple[int, int], seed: int) -> None:
    """Left and right, above and below are treated alike."""
    pixels = picture(size, seed)

    found = scaled(pixels[::-1, ::-1], to, Scaling.SMOOTH).astype(int)

    assert np.abs(found[::-1, ::-1] - scaled(pixels, to, Scaling.SMOOTH)).max() <= 1


@settings(deadline=None)
@given(SIZES, SIZES, SEEDS)
def test_a_mean_is_in_the_range_of_the_picture(size: tuple[int, int], to: tuple[int, int], seed: int) -> None:
    """Bilinear scaling makes no value that is larger or smaller than all of the picture."""
    pixels = picture(size, seed)

    found = scaled(pixels, to, Scaling.BILINEAR)

    assert pixels.max() >= found.max()
    assert found.min() >= max(0, int(pixels.min()) - 1)


@settings(deadline=None)
@given(SIZES, SIZES, SEEDS, SCALINGS)
def test_a_turned_picture_is_turned(
    size: tuple[int, int], to: tuple[int, int], seed: int, scaling: Scaling
) -> None:
    """Rows and columns are treated alike."""
    pixels = picture(size, seed)

    turned = scaled(pixels.transpose(1, 0, 2), (to[1], to[0]), scaling).astype(int)

    assert np.abs(turned.transpose(1, 0, 2) - scaled(pixels, to, scaling)).max() <= 1
