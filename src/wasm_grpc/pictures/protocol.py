"""
The protocol of picture decoders: a decoder returns a picture, and a picture scales itself into a buffer.

Pixels are passed as bytes: row after row from the top, three channels a pixel, without gaps. A float is
little-endian and has 32 bits.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = [
    "CHANNELS",
    "Decoder",
    "Picture",
    "PictureError",
    "PictureFormat",
    "PixelType",
    "Scaling",
    "Target",
]

CHANNELS: Final = 3


class PictureError(Exception):
    """
    The bytes are no picture that can be decoded. The message says why, and what was expected.
    """


class PictureFormat(str, enum.Enum):
    """
    Formats of a file.
    """

    JPEG = "JPEG"
    PNG = "PNG"


class PixelType(str, enum.Enum):
    """
    The order and the type of a pixel's channels.
    """

    RGB8 = "RGB8"
    BGR8 = "BGR8"
    RGB32F = "RGB32F"
    BGR32F = "BGR32F"

    @property
    def is_float(self) -> bool:
        """
        Whether a channel is a float, and not an unsigned byte.
        """
        return self in {PixelType.RGB32F, PixelType.BGR32F}

    @property
    def is_bgr(self) -> bool:
        """
        Whether blue comes first, and not red.
        """
        return self in {PixelType.BGR8, PixelType.BGR32F}


class Scaling(str, enum.Enum):
    """
    How a picture is scaled, and what the floats mean.
    """

    SMOOTH = "smooth"
    """Every source pixel counts; see `pictures.smooth`. A float is linear light: (byte / 255) ** 2.2."""
    BILINEAR = "bilinear"
    """The four nearest source pixels count; see `pictures.bilinear`. A float is byte / 255."""


@dataclass(frozen=True, slots=True)
class Target:
    """
    What a picture is to become.

    Attributes:
        width: Number of columns, at least 1.
        height: Number of rows, at least 1.
        type: Type of the pixels.
    """

    width: int
    height: int
    type: PixelType

    @property
    def size_bytes(self) -> int:
        """
        Size of the pixels.
        """
        return self.width * self.height * CHANNELS * (4 if self.type.is_float else 1)


class Picture(Protocol):
    """
    A decoded picture.
    """

    def scale_into(self, out: memoryview, target: Target, scaling: Scaling) -> None:
        """
        Write the picture, scaled, into a buffer of exactly `Target.size_bytes`.

        Raises:
            MemoryError: There was not enough memory. The buffer may be partly written.
        """
        ...


class Decoder(Protocol):
    """
    What decodes pictures in this process.
    """

    name: str
    version: str

    def decode(self, content: bytes, *, formats: Collection[PictureFormat], pixel_limit: int) -> Picture:
        """
        Decode a picture. The content decides on its format.

        Args:
            content: A whole file.
            formats: The formats that are accepted.
            pixel_limit: The most pixels that it may have. This is checked before they take any memory.

        Raises:
            PictureError: It has none of these formats, too many pixels, or is damaged.
            MemoryError: There was not enough memory.
        """
        ...
