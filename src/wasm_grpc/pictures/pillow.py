"""A decoder on Pillow, whose pictures are scaled by NumPy."""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Collection, Mapping
from typing import Final

import numpy as np
import PIL
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from wasm_grpc.core.faults import FatalFaults
from wasm_grpc.core.text import one_line
from wasm_grpc.pictures.bilinear import scale_bilinearly
from wasm_grpc.pictures.protocol import CHANNELS, PictureError, PictureFormat, Scaling, Target
from wasm_grpc.pictures.smooth import Bytes, scale_smoothly

__all__ = ["PillowDecoder", "PillowPicture"]

_SIGNATURES: Final = {PictureFormat.JPEG: b"\xff\xd8\xff", PictureFormat.PNG: b"\x89PNG\r\n\x1a\n"}
_GAMMA: Final = 2.2
"""The default of ``stbi_ldr_to_hdr_gamma``, for every picture: a gamma that the file names is not read."""
_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    struct.error,
    zlib.error,
)
"""What Pillow raises for files that are damaged in various places."""
_REASON_CHARS: Final = 100

_UNIT_LEVELS: Final = (np.arange(256) / 255).astype(np.float32)
_LIGHT_LEVELS: Final = _UNIT_LEVELS**_GAMMA


class PillowDecoder:
    """
    A `Decoder`. It keeps what Pillow warns of and logs to itself.
    """

    name = "Pillow"

    def __init__(self) -> None:
        self.version = PIL.__version__
        self._faults = FatalFaults()
        logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)

    def decode(
        self, content: bytes, *, formats: Collection[PictureFormat], pixel_limit: int
    ) -> PillowPicture:
        """
        See `Decoder.decode`.
        """
        found = next((each for each in formats if content.startswith(_SIGNATURES[each])), None)
        if found is None:
            raise PictureError(f"is not {' or '.join(formats)}; expected a file of that format")
        # Warnings would be written to the log of the server, and whoever sent the file decides on them.
        with self._faults, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                # Alternative not taken: `Image.open`, which imports the plugins of five formats.
                with _FILES[found](io.BytesIO(content)) as file:
                    _check_size(file, pixel_limit)
                    file.load()
                    return PillowPicture(_pixels(file))
            except _ERRORS as exc:
                reason = one_line(str(exc))[:_REASON_CHARS]
                raise PictureError(f"can't be read ({reason}); expected a whole {found.value} file") from exc


class PillowPicture:
    """
    A `Picture` of unsigned bytes.
    """

    def __init__(self, pixels: Bytes) -> None:
        """
        Take the pixels: rows, columns, and red, green and blue.
        """
        self._pixels = pixels

    def scale_into(self, out: memoryview, target: Target, scaling: Scaling) -> None:
        """
        See `Picture.scale_into`.
        """
        shape = (target.height, target.width, CHANNELS)
        result = np.frombuffer(out, "<f4" if target.type.is_float else "u1").reshape(shape)
        if target.type.is_bgr:
            result = result[:, :, ::-1]
        if scaling is Scaling.SMOOTH:
            scale_smoothly(self._pixels, _LIGHT_LEVELS if target.type.is_float else None, result)
        else:
            scale_bilinearly(self._pixels, _UNIT_LEVELS if target.type.is_float else None, result)


class _Jpeg(JpegImageFile):
    def _read_dpi_from_exif(self) -> None:
        # Nobody asks for the resolution, and Pillow would import its TIFF plugin to look for it.
        pass


_FILES: Final[Mapping[PictureFormat, type[ImageFile]]] = {
    PictureFormat.JPEG: _Jpeg,
    PictureFormat.PNG: PngImageFile,
}


def _check_size(file: ImageFile, pixel_limit: int) -> None:
    if file.width * file.height > pixel_limit:
        raise PictureError(
            f"has {file.width}x{file.height} pixels; expected at most {pixel_limit}, "
            "which is a quarter of limits.memory"
        )


def _pixels(file: ImageFile) -> Bytes:
    """
    Return a loaded file's pixels as stb_image does: alpha dropped, of 16 bits the upper 8, grey repeated.
    """
    shape = (file.height, file.width)
    if file.mode.startswith("I;16"):
        samples = np.frombuffer(file.tobytes(), "<u2").reshape(shape)
        return np.repeat((samples >> 8).astype(np.uint8)[:, :, None], CHANNELS, axis=2)
    picture = file if file.mode == "RGB" else file.convert("RGB")
    return np.frombuffer(picture.tobytes(), np.uint8).reshape(*shape, CHANNELS)
