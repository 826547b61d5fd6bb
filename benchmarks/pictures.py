"""The picture that is turned grey, painted anew each time, and how alike two grey ones are."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageOps, ImageStat

from benchmarks.apps.grey import grey_png

__all__ = ["SIZE", "Likeness", "likeness", "paint_photo"]

SIZE = (480, 360)
"""Width and height in pixels."""

_QUALITY = 88
_GRAIN = (SIZE[0], 0.07)
_SMOOTH = ((3, 0.5), (8, 0.3), _GRAIN)
_ROUGH = ((3, 0.5), (8, 0.3), (24, 0.25), (80, 0.15), (240, 0.10), _GRAIN)
"""Layers of noise, coarse to fine: cells across the picture, and weight over what lies below.
Without a camera's grain Pillow takes twice as long for the PNG as for a photo's."""
_SHAPES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """
    How a grey PNG compares with what Pillow makes of the same photo.

    Attributes:
        largest: The largest difference of two pixels, of 255.
        mean: The mean difference.
        size_ratio: Its bytes over those of Pillow's default PNG of the very same pixels.
        size_bytes: Its bytes.
    """

    largest: int
    mean: float
    size_ratio: float
    size_bytes: int


def paint_photo() -> bytes:
    """
    Return a JPEG of `SIZE`, always the same, about as hard to decode and to compress as a photo.

    Like one it has sharp shapes of even and of rough surface on a ground that is out of focus.
    """
    source = random.Random(1)  # noqa: S311 - no secret
    light, tint, rough = (_noise(source, layers) for layers in (_SMOOTH, _SMOOTH, _ROUGH))
    light.paste(rough, mask=_shapes(source))
    picture = Image.merge("RGB", (light, Image.blend(light, tint, 0.3), Image.blend(light, tint, 0.5)))
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=_QUALITY)
    return encoded.getvalue()


def likeness(photo: bytes, grey: bytes) -> Likeness:
    """
    Compare an app's grey PNG with Pillow's of the same photo.
    """
    with Image.open(io.BytesIO(grey)) as picture, Image.open(io.BytesIO(grey_png(photo))) as reference:
        ours = picture.convert("L")
        difference = ImageChops.difference(ours, reference.convert("L"))
    again = io.BytesIO()
    ours.save(again, "PNG")
    _, largest = difference.getextrema()
    return Likeness(
        largest=int(largest) if isinstance(largest, int | float) else 255,
        mean=ImageStat.Stat(difference).mean[0],
        size_ratio=len(grey) / len(again.getvalue()),
        size_bytes=len(grey),
    )


def _noise(source: random.Random, layers: Iterable[tuple[int, float]]) -> Image.Image:
    width, height = SIZE
    noise = Image.linear_gradient("L").resize(SIZE)
    for across, weight in layers:
        down = across * height // width
        cells = Image.frombytes("L", (across, down), source.randbytes(across * down))
        noise = Image.blend(noise, cells.resize(SIZE, Image.Resampling.BICUBIC), weight)
    return ImageOps.autocontrast(noise)


def _shapes(source: random.Random) -> Image.Image:
    width, height = SIZE
    mask = Image.new("L", SIZE)
    draw = ImageDraw.Draw(mask)
    for number in range(_SHAPES):
        x, y, radius = source.randrange(width), source.randrange(height), source.randrange(30, 90)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255 if number % 3 else 90)
    return mask
