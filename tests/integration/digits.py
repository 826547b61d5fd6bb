"""Pictures of digits that the digits model has never seen: written, printed in other fonts, drawn by other hands."""

from __future__ import annotations

import functools
import gzip
import io
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from integration.handwriting import HANDS, Stroke

__all__ = ["DigitPicture", "draw", "drawn", "photographed", "placed", "png", "printed", "written"]

# Of scikit-learn's digits the last ones are held back: functions/classify/train/sources.py.
HELD_BACK = 360
# Packages of fonts none of which the model was trained on, and which of their files.
FONTS = {
    "font-amatic-sc": ("AmaticSC-Regular.ttf", "AmaticSC-Bold.ttf"),
    "font-caladea": (
        "Caladea-Regular.ttf",
        "Caladea-Bold.ttf",
        "Caladea-Italic.ttf",
        "Caladea-BoldItalic.ttf",
    ),
    "font-fredoka-one": ("FredokaOne-Regular.ttf",),
    "font-hanken-grotesk": (
        "HankenGrotesk-Light.otf",
        "HankenGrotesk-Medium.otf",
        "HankenGrotesk-BoldItalic.otf",
    ),
    "font-intuitive": ("Intuitive.ttf",),
    "font-source-serif-pro": (
        "SourceSerifPro-ExtraLight.ttf",
        "SourceSerifPro-Regular.ttf",
        "SourceSerifPro-It.ttf",
        "SourceSerifPro-Black.ttf",
    ),
}
CANVAS = 280
DARK, LIGHT = (0, 255), (255, 0)


@dataclass(frozen=True, slots=True)
class DigitPicture:
    """A file, the digit on it, and words that tell it from the others."""

    file: bytes
    digit: int
    about: str


def written() -> Iterator[DigitPicture]:
    """Scikit-learn's digits of 8x8 pixels, those that are held back, made as large as an icon; ink on paper."""
    table = distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
    with gzip.open(str(table), "rt") as lines:
        rows = [[int(float(cell)) for cell in line.split(",")] for line in lines]
    for index, row in enumerate(rows[-HELD_BACK:]):
        ink = Image.frombytes("L", (8, 8), bytes(min(255, level * 16) for level in row[:64]))
        ink = ink.resize((64, 64), Image.Resampling.BICUBIC)
        picture = Image.new("L", (96, 96))
        picture.paste(ink, (16, 16))
        yield DigitPicture(png(ImageChops.invert(picture)), row[64], f"written {index}")


def printed() -> Iterator[DigitPicture]:
    """Each font's digits in three sizes, dark on light and light on dark, somewhere on the picture."""
    for package, files in FONTS.items():
        folder = distribution(package).locate_file(package.replace("-", "_") + "/files")
        for name in files:
            for size, (ground, ink) in ((24, DARK[::-1]), (60, DARK), (200, LIGHT)):
                font = ImageFont.truetype(f"{folder}/{name}", size)
                for digit in range(10):
                    picture = Image.new("L", (size * 2, size * 2), ground)
                    place = (size // 3 + digit * size // 20, size // 4)
                    ImageDraw.Draw(picture).text(place, str(digit), font=font, fill=ink)
                    yield DigitPicture(png(picture), digit, f"printed {name} {size} {ground}")


def drawn() -> Iterator[DigitPicture]:
    """Each hand's digits as a web page's canvas has them: round pens of several widths on an even ground."""
    chance = random.Random(7)
    for hand, digits in HANDS.items():
        for digit, strokes in digits.items():
            for pen in (6, 14, 26):
                for ground, ink in (DARK, LIGHT):
                    mask = draw(wobbled(strokes, chance), pen=pen)
                    picture = Image.composite(
                        Image.new("L", mask.size, ink), Image.new("L", mask.size, ground), mask
                    )
                    yield DigitPicture(png(picture), digit, f"drawn {hand} {pen} {ground}")


def photographed() -> Iterator[DigitPicture]:
    """Each hand's digits in pencil or chalk, seen by a camera: light from one side, noise, blur; JPEG."""
    chance = random.Random(8)
    for hand, digits in HANDS.items():
        for digit, strokes in digits.items():
            for is_chalk in (False, True):
                mask = draw(wobbled(strokes, chance), pen=chance.uniform(8, 18))
                sheet = Image.new("L", (CANVAS * 2, CANVAS * 3 // 2))
                sheet.paste(mask, (chance.randrange(CANVAS), chance.randrange(CANVAS // 2)))
                light = Image.linear_gradient("L").rotate(chance.choice((0, 90, 180, 270))).resize(sheet.size)
                light = light.point(lambda level: 130 + level * 100 // 255)
                picture = ImageChops.subtract(light, sheet.point(lambda level: level * 90 // 255))
                if is_chalk:
                    picture = ImageChops.invert(picture)
                noise = Image.effect_noise(sheet.size, 12)
                picture = Image.blend(picture.filter(ImageFilter.GaussianBlur(1.5)), noise, 0.2)
                file = io.BytesIO()
                picture.save(file, "JPEG", quality=80)
                yield DigitPicture(
                    file.getvalue(), digit, f"photographed {hand} {'chalk' if is_chalk else 'pencil'}"
                )


def placed() -> Iterator[DigitPicture]:
    """Each hand's digits where ink isn't all that there is: on a desk, in a shadow, on lines, far away, cut out."""
    chance = random.Random(3)
    for place, put in PLACES.items():
        for hand, digits in HANDS.items():
            for digit, strokes in digits.items():
                picture = put(draw(wobbled(strokes, chance), pen=14))
                yield DigitPicture(png(picture), digit, f"placed {hand} {place}")


def _page(mask: Image.Image) -> Image.Image:
    return ImageChops.invert(mask).point(lambda level: 40 + level * 180 // 255)


def _on_a_desk(mask: Image.Image) -> Image.Image:
    desk = Image.new("L", (420, 420), 60)
    desk.paste(_page(mask).resize((330, 330)), (70, 40))
    return desk


def _at_a_desk_s_edge(mask: Image.Image) -> Image.Image:
    desk = Image.new("L", (380, 280), 50)
    desk.paste(_page(mask), (0, 0))
    return desk


def _in_a_shadow(mask: Image.Image) -> Image.Image:
    shadow = Image.new("L", mask.size, 255)
    ImageDraw.Draw(shadow).polygon([(0, 0), (160, 0), (90, 280), (0, 280)], fill=150)
    return ImageChops.multiply(_page(mask), shadow.filter(ImageFilter.GaussianBlur(12)))


def _on_lines(mask: Image.Image) -> Image.Image:
    page = ImageChops.invert(mask).convert("RGB")
    for y in range(20, CANVAS, 28):
        ImageDraw.Draw(page).line((0, y, CANVAS, y), fill=(170, 200, 240), width=2)
    return page


def _far_away(mask: Image.Image) -> Image.Image:
    page = Image.new("L", (1400, 1000), 220)
    page.paste(_page(mask).resize((100, 100)), (1100, 750))
    return Image.blend(page, _grain(page.size), 0.15)


@functools.cache
def _grain(size: tuple[int, int]) -> Image.Image:
    return Image.effect_noise(size, 20)


def _cut_out(mask: Image.Image) -> Image.Image:
    return ImageChops.invert(mask.crop(mask.getbbox()))


def _in_colours(mask: Image.Image) -> Image.Image:
    paper, ink = (Image.new("RGB", mask.size, colour) for colour in ((250, 245, 230), (220, 40, 40)))
    return Image.composite(ink, paper, mask)


PLACES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "on a desk": _on_a_desk,
    "at a desk's edge": _at_a_desk_s_edge,
    "in a shadow": _in_a_shadow,
    "on lines": _on_lines,
    "far away": _far_away,
    "cut out": _cut_out,
    "in colours": _in_colours,
}


def draw(strokes: Sequence[Stroke], *, pen: float) -> Image.Image:
    """Return what a round pen leaves on a canvas, ink 255; drawn large and made small, so that edges are smooth."""
    large = 3
    picture = Image.new("L", (CANVAS * large, CANVAS * large))
    brush = ImageDraw.Draw(picture)
    radius = pen * large / 2
    for stroke in strokes:
        points = [(x * CANVAS * large, y * CANVAS * large) for x, y in curve(stroke)]
        brush.line(points, fill=255, width=round(2 * radius), joint="curve")
        for x, y in points:
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return picture.resize((CANVAS, CANVAS), Image.Resampling.BOX)


def wobbled(strokes: Sequence[Stroke], chance: random.Random) -> list[Stroke]:
    """The same digit drawn once more: elsewhere, larger or smaller, slanted, no point quite where it was."""
    scale = chance.uniform(0.35, 0.85)
    angle, slant = chance.gauss(0, 0.07), chance.gauss(0, 0.1)
    left, top = chance.uniform(0.06, 0.94 - scale), chance.uniform(0.06, 0.94 - scale)

    def moved(x: float, y: float) -> tuple[float, float]:
        x, y = x + chance.gauss(0, 0.015) - 0.5, y + chance.gauss(0, 0.015) - 0.5
        x -= slant * y
        x, y = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
        return left + scale * (x + 0.5), top + scale * (y + 0.5)

    return [tuple(moved(x, y) for x, y in stroke) for stroke in strokes]


def curve(stroke: Stroke) -> Iterator[tuple[float, float]]:
    """A smooth line through the points of a stroke (Catmull and Rom 1974); a point given twice is a corner."""
    points = [stroke[0], *stroke, stroke[-1]]
    for before, start, end, after in zip(points, points[1:], points[2:], points[3:], strict=False):
        for step in range(12):
            yield spline(before, start, end, after, step / 12)
    yield stroke[-1]


def spline(
    before: tuple[float, float],
    start: tuple[float, float],
    end: tuple[float, float],
    after: tuple[float, float],
    t: float,
) -> tuple[float, float]:
    """The point at `t`, 0 to 1, between start and end."""

    def along(a: float, b: float, c: float, d: float) -> float:
        return 0.5 * (
            2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
        )

    x, y = (along(*axis) for axis in zip(before, start, end, after, strict=True))
    return x, y


def png(picture: Image.Image) -> bytes:
    """Return the picture's file."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()
