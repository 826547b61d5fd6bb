"""Digits as a person might send them: of any size and colour, slanted, drawn thick or thin, photographed."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter, map_coordinates

__all__ = ["picture"]

# The longer side of a digit while it is bent.
WORK_PIXELS = 84


def picture(mask: Image.Image, chance: np.random.Generator, *, is_drawn: bool) -> bytes:
    """
    Return a file with the digit of a mask.

    Args:
        mask: grey picture, ink 255.
        chance: what decides all that is random.
        is_drawn: by a hand, whose strokes vary more than print.
    """
    ink = _bent(_stroked(_sized(mask), chance, is_drawn=is_drawn), chance, is_drawn=is_drawn)
    return _file(_coloured(_placed(ink, chance), chance), chance)


def _sized(mask: Image.Image) -> Image.Image:
    """The digit alone, its edges smooth, in the middle of a square that leaves room to turn it."""
    box = mask.point(lambda level: 255 * (level > 40)).getbbox()
    mask = mask.crop(box)
    scale = WORK_PIXELS / max(mask.size)
    size = (max(4, round(mask.width * scale)), max(4, round(mask.height * scale)))
    mask = mask.resize(size, Image.Resampling.BICUBIC)
    side = WORK_PIXELS * 7 // 4
    square = Image.new("L", (side, side))
    square.paste(mask, ((side - size[0]) // 2, (side - size[1]) // 2))
    return square


def _stroked(ink: Image.Image, chance: np.random.Generator, *, is_drawn: bool) -> Image.Image:
    """Thicker or thinner strokes: a blur, cut at another level than the middle."""
    if not is_drawn and chance.random() < 0.6:
        return ink
    radius = chance.uniform(1.5, 4) if is_drawn else chance.uniform(1, 2)
    cut = chance.uniform(70, 150) if is_drawn else chance.uniform(90, 150)
    blurred = ink.filter(ImageFilter.GaussianBlur(radius))
    stroked = blurred.point(lambda level: min(255, max(0, round((level - cut) * 6 + 128))))
    # A line that is too thin for that would vanish.
    return stroked if _sum(stroked) > 0.4 * _sum(ink) else ink


def _sum(ink: Image.Image) -> float:
    return float(np.asarray(ink, float).sum())


def _bent(ink: Image.Image, chance: np.random.Generator, *, is_drawn: bool) -> Image.Image:
    """Turned, slanted, wider or narrower, and by a hand that trembles."""
    angle = np.deg2rad(chance.normal(0, 8 if is_drawn else 5))
    slant = chance.normal(0, 0.15 if is_drawn else 0.08)
    wide, high = np.exp(chance.normal(0, 0.15, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[wide, slant], [0, high]])
    centre = ink.width / 2
    offset = centre - matrix @ np.array([centre, centre])
    ink = ink.transform(
        ink.size,
        Image.Transform.AFFINE,
        (matrix[0, 0], matrix[0, 1], offset[0], matrix[1, 0], matrix[1, 1], offset[1]),
        Image.Resampling.BILINEAR,
    )
    if not is_drawn or chance.random() < 0.3:
        return ink
    rows, columns = np.mgrid[: ink.height, : ink.width].astype(float)
    small = chance.normal(0, 1, (2, 14, 14))
    waves = [
        np.asarray(
            Image.fromarray(gaussian_filter(field, 1.5).astype(np.float32)).resize(
                ink.size, Image.Resampling.BICUBIC
            )
        )
        for field in small
    ]
    strength = chance.uniform(4, 20)
    moved = map_coordinates(
        np.asarray(ink, float), [rows + waves[0] * strength, columns + waves[1] * strength], order=1
    )
    return Image.fromarray(moved.clip(0, 255).astype(np.uint8))


def _placed(ink: Image.Image, chance: np.random.Generator) -> Image.Image:
    """Somewhere on a picture that is larger, much larger or hardly larger, of any size."""
    box = ink.point(lambda level: 255 * (level > 60)).getbbox()
    ink = ink.crop(box)
    longest = max(ink.size)
    room = longest * (chance.uniform(1.04, 1.5) if chance.random() < 0.5 else chance.uniform(1.4, 4))
    width = round(max(ink.width + 4, room * chance.uniform(0.75, 1)))
    height = round(max(ink.height + 4, room * chance.uniform(0.75, 1)))
    place = (
        round(chance.uniform(1, width - ink.width - 1)),
        round(chance.uniform(1, height - ink.height - 1)),
    )
    page = Image.new("L", (width, height))
    page.paste(ink, place)
    digit = np.exp(chance.uniform(np.log(22), np.log(300)))
    scale = digit / longest
    return page.resize(
        (max(8, round(width * scale)), max(8, round(height * scale))),
        Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR,
    )


def _coloured(ink: Image.Image, chance: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Dark on light or light on dark, one time in three under a lamp and through a lens."""
    strength = np.asarray(ink, float) / 255
    is_photo = chance.random() < 0.35
    if chance.random() < 0.4 and not is_photo:
        ground, colour = 255.0, 0.0
    else:
        contrast = chance.uniform(60, 255)
        ground = chance.uniform(contrast, 255)
        colour = ground - contrast
    levels = ground + (colour - ground) * strength
    if is_photo:
        levels *= _light(levels.shape, chance)
        levels = gaussian_filter(levels, chance.uniform(0, max(levels.shape) / 250))
        levels += chance.normal(0, chance.uniform(1, 8), levels.shape)
    if chance.random() < 0.5:
        levels = 255 - levels
    return levels.clip(0, 255).astype(np.uint8)


def _light(shape: tuple[int, ...], chance: np.random.Generator) -> npt.NDArray[np.float64]:
    """Light that falls from one side, and off towards the edges."""
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, count) for count in shape), indexing="ij")
    slope = chance.uniform(-0.3, 0.3, 2)
    fall = chance.uniform(0, 0.15)
    light = 1 + slope[0] * rows + slope[1] * columns - fall * (rows**2 + columns**2)
    return light / light.max()


def _file(levels: npt.NDArray[np.uint8], chance: np.random.Generator) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(levels)
    if chance.random() < 0.2:
        image.save(file, "JPEG", quality=int(chance.integers(50, 95)))
    else:
        image.save(file, "BMP")
    return file.getvalue()
