"""The state of ``wasmedge_image`` in one invocation: the decoder, the limit on pictures, and the log."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from wasm_grpc.core.pictures import pixel_limit
from wasm_grpc.hosts.protocol import HostCall
from wasm_grpc.hosts.refusal import Refusal
from wasm_grpc.pictures.protocol import Decoder, PictureError, PictureFormat, Scaling, Target

__all__ = ["FAILURE", "PictureState"]

FAILURE: Final = 1
"""The only errno that the functions return."""


class PictureState:
    """
    What decodes the pictures of one invocation.

    Attributes:
        log: Writes a line to the function's log.
    """

    __slots__ = ("_decoder", "_pixel_limit", "log")

    def __init__(self, decoder: Decoder, call: HostCall) -> None:
        self.log: Callable[[str], None] = call.log
        self._decoder = decoder
        self._pixel_limit = pixel_limit(call.limits)

    def load(
        self,
        picture: memoryview,
        out: memoryview,
        target: Target,
        *,
        formats: Collection[PictureFormat],
        scaling: Scaling,
    ) -> None:
        """
        Decode a picture, and write it, scaled, to a buffer that has the size of the target.

        Args:
            picture: The file. It may overlap `out`.
            out: The buffer.
            target: What the picture is to become.
            formats: The formats that are accepted.
            scaling: How it is scaled.

        Raises:
            Refusal: The picture can't be decoded, or there is not enough memory.
        """
        try:
            decoded = self._decoder.decode(bytes(picture), formats=formats, pixel_limit=self._pixel_limit)
            decoded.scale_into(out, target, scaling)
        except PictureError as exc:
            raise Refusal(FAILURE, f"the picture {exc}") from exc
        except MemoryError:
            raise Refusal(FAILURE, "the worker has too little memory; expected a smaller picture") from None
