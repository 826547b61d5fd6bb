"""The sample pictures, painted anew each time: a landscape of gradients, hills and a sun, and a digit."""

from __future__ import annotations

import io
import math

from PIL import Image, ImageDraw, ImageFilter

__all__ = ["DIGIT", "SIZE", "paint_digit", "paint_sample"]

SIZE = (480, 360)
"""Width and height in pixels."""

DIGIT = "7"
"""What `paint_digit` paints."""

_STROKES = [(88, 92), (200, 84), (168, 150), (142, 226)]
"""Of the digit, in pixels of a canvas of 280."""
_PEN = 16

_SKY = ((36, 84, 160), (250, 205, 150))
_SUN = ((330, 70), 34, (255, 240, 190))
_HILLS = (
    ((96, 112, 150), 0.52, 60.0, 30.0),
    ((70, 110, 96), 0.64, 44.0, 38.0),
    ((44, 78, 46), 0.80, 30.0, 24.0),
)
"""Colour, height as a share of the picture, wave length and amplitude in pixels."""


def paint_sample() -> bytes:
    """
    Give the picture as a JPEG of `SIZE`.
    """
    width, height = SIZE
    picture = Image.new("RGB", SIZE)
    draw = ImageDraw.Draw(picture)
    top, bottom = _SKY
    for y in range(height):
        share = y / height
        colour = tuple(round(a + (b - a) * share) for a, b in zip(top, bottom, strict=True))
        draw.line([(0, y), (width, y)], fill=colour)
    (x, y), radius, colour = _SUN
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)
    picture = picture.filter(ImageFilter.GaussianBlur(1.5))
    draw = ImageDraw.Draw(picture)
    for colour, share, wave, amplitude in _HILLS:
        ridge = [(x, share * height + amplitude * _ridge(x, wave)) for x in range(width + 1)]
        draw.polygon([*ridge, (width, height), (0, height)], fill=colour)
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=90)
    return encoded.getvalue()


def paint_digit() -> bytes:
    """
    Give a `DIGIT` drawn with a round pen, dark on light, as a PNG.
    """
    picture = Image.new("L", (280, 280), 245)
    draw = ImageDraw.Draw(picture)
    draw.line(_STROKES, fill=30, width=_PEN, joint="curve")
    for x, y in _STROKES:
        draw.ellipse([x - _PEN / 2, y - _PEN / 2, x + _PEN / 2, y + _PEN / 2], fill=30)
    encoded = io.BytesIO()
    picture.filter(ImageFilter.GaussianBlur(0.8)).save(encoded, "PNG")
    return encoded.getvalue()


def _ridge(x: int, wave: float) -> float:
    return (math.sin(x / wave) + 0.5 * math.sin(2.3 * x / wave + 1) + 0.2 * math.sin(7 * x / wave)) / 1.7
