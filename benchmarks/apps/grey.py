"""What both native apps do with a picture: grey, as Pillow does it by default."""

from __future__ import annotations

import io

from PIL import Image

__all__ = ["grey_png"]


def grey_png(photo: bytes) -> bytes:
    """
    Return the picture as a grey PNG.
    """
    grey = io.BytesIO()
    with Image.open(io.BytesIO(photo)) as picture:
        picture.convert("L").save(grey, "PNG")
    return grey.getvalue()
