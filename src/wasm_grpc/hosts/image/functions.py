"""
The table of all functions of ``wasmedge_image``, by their current and their old names.

Source of the current ones: WasmEdge's ``plugins/wasmedge_image/image_func.cpp``. All three decode by content,
whatever their name says. Source of the old ones: ``lib/image_func.cpp`` of second-state/WasmEdge-image. Each
decodes the one format that it names.
"""

from __future__ import annotations

import functools
from typing import Final

from wasm_grpc.core.pictures import PICTURES_IMPORT
from wasm_grpc.engines.protocol import HostFunction, HostModules
from wasm_grpc.hosts.image.calls import declare, region
from wasm_grpc.hosts.image.state import FAILURE, PictureState
from wasm_grpc.hosts.refusal import Refusal
from wasm_grpc.pictures.protocol import PictureFormat, PixelType, Scaling, Target

__all__ = ["FUNCTIONS"]

_TYPES: Final = (PixelType.RGB8, PixelType.BGR8, PixelType.RGB32F, PixelType.BGR32F)
"""The type codes of the current functions."""
_FORMATS: Final = (PictureFormat.JPEG, PictureFormat.PNG)
_OLD_FORMATS: Final = {"jpg": PictureFormat.JPEG, "png": PictureFormat.PNG}


def _load(
    state: PictureState,
    memory: memoryview,
    picture_at: int,
    length: int,
    width: int,
    height: int,
    code: int,
    out_at: int,
    room: int,
) -> None:
    if code >= len(_TYPES):
        codes = ", ".join(f"{each} ({kind.value})" for each, kind in enumerate(_TYPES))
        raise Refusal(FAILURE, f"the type {code} is unknown; expected one of {codes}")
    target = _target(width, height, _TYPES[code])
    picture = region(memory, picture_at, length, "the picture")
    out = region(memory, out_at, room, "the buffer")
    if room < target.size_bytes:
        raise Refusal(
            FAILURE,
            f"the buffer has {room} bytes; "
            f"expected {target.size_bytes} for {width}x{height} pixels of {target.type.value}",
        )
    state.load(picture, out[: target.size_bytes], target, formats=_FORMATS, scaling=Scaling.SMOOTH)


def _load_old(
    picture_format: PictureFormat,
    pixel_type: PixelType,
    state: PictureState,
    memory: memoryview,
    picture_at: int,
    length: int,
    width: int,
    height: int,
    out_at: int,
) -> None:
    target = _target(width, height, pixel_type)
    picture = region(memory, picture_at, length, "the picture")
    out = region(memory, out_at, target.size_bytes, "the buffer")
    state.load(picture, out, target, formats=(picture_format,), scaling=Scaling.BILINEAR)


def _target(width: int, height: int, pixel_type: PixelType) -> Target:
    if not (width and height):
        raise Refusal(FAILURE, f"the size is {width}x{height} pixels; expected at least 1x1")
    return Target(width, height, pixel_type)


def _declare_old(kind: str, pixel_type: PixelType) -> tuple[str, HostFunction]:
    name = f"wasmedge_image_load_{kind}_to_{pixel_type.value.lower()}"
    return name, declare(name, 5, functools.partial(_load_old, _OLD_FORMATS[kind], pixel_type))


FUNCTIONS: Final[HostModules] = {
    **{(PICTURES_IMPORT, name): declare(name, 7, _load) for name in ("load_jpg", "load_png", "load_image")},
    **{
        (PICTURES_IMPORT, name): function
        for name, function in (_declare_old(kind, each) for kind in _OLD_FORMATS for each in _TYPES)
    },
}
"""The functions need a `HostContext` that has a `PictureState`."""
