"""Pictures to send, and what is to come back."""

from __future__ import annotations

import io
import random

from PIL import Image, ImageChops, ImageDraw

__all__ = ["DIGIT", "digit", "encoded", "grey_difference", "opened", "sample"]

DIGIT = "7"  # what `digit` shows
STROKES = [(88, 92), (200, 84), (168, 150), (142, 226)]
PEN = 16
SIZE = (61, 43)  # no multiples of a JPEG's blocks


def sample(mode: str = "RGB") -> Image.Image:
    """Return a picture that no other call returns: a gradient under noise."""
    channels = []
    for _ in mode:
        noise = Image.frombytes("L", SIZE, random.randbytes(SIZE[0] * SIZE[1]))
        channels.append(Image.blend(Image.linear_gradient("L").resize(SIZE), noise, 0.3))
    return Image.merge(mode, channels)


def digit(kind: str = "PNG", *, paper: int = 245, ink: int = 30) -> bytes:
    """Return a file with a `DIGIT` as a person draws it with a round pen, by default dark on light."""
    picture = Image.new("L", (280, 280), paper)
    draw = ImageDraw.Draw(picture)
    draw.line(STROKES, fill=ink, width=PEN, joint="curve")
    for x, y in STROKES:
        draw.ellipse([x - PEN / 2, y - PEN / 2, x + PEN / 2, y + PEN / 2], fill=ink)
    return encoded(picture, kind)


def encoded(picture: Image.Image, kind: str) -> bytes:
    """Return the picture as a file of a kind, such as PNG."""
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def opened(file: bytes) -> Image.Image:
    """Return the picture of a file."""
    return Image.open(io.BytesIO(file))


def grey_difference(grey: bytes, original: bytes) -> int:
    """Return by how much, at most, a picture's colours differ from the greys that Pillow makes of another."""
    expected = opened(original).convert("L").convert("RGB")
    difference = ImageChops.difference(opened(grey).convert("RGB"), expected)
    levels = difference.histogram()  # 256 a channel
    return max(index % 256 for index, count in enumerate(levels) if count)
