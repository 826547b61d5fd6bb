"""``wasmedge_image`` as a `HostModule`, whose decoder is opened for the first function that imports it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from wasm_grpc.core.model import Grants
from wasm_grpc.core.pictures import PICTURES_IMPORT
from wasm_grpc.engines.protocol import HostModules
from wasm_grpc.hosts.image import functions
from wasm_grpc.hosts.image.state import PictureState
from wasm_grpc.hosts.protocol import Begin, HostCall
from wasm_grpc.pictures.protocol import Decoder
from wasm_grpc.pictures.registry import open_decoder

__all__ = ["WasmedgeImage"]


class WasmedgeImage:
    """
    A `HostModule`: pictures for every function that imports it. To decode is to compute, and needs no grant.
    """

    __slots__ = ("_decoder", "_open_decoder")

    functions: ClassVar[HostModules] = functions.FUNCTIONS
    state: ClassVar[type] = PictureState

    def __init__(self, open_decoder: Callable[[], Decoder] = open_decoder) -> None:
        """
        Start without a decoder.

        Args:
            open_decoder: Opens the decoder. Called once, for the first function that needs it.
        """
        self._open_decoder = open_decoder
        self._decoder: Decoder | None = None

    def open(self, grants: Grants, imports: Collection[str] = ()) -> Begin:
        """
        See `HostModule.open`.

        The decoder's libraries are imported in the process that loads the function: once for all workers that
        are forked from it.

        Raises:
            PicturesUnavailableError: The function imports this module, and the decoder is not installed.
        """
        if PICTURES_IMPORT not in imports:
            return _never
        return functools.partial(PictureState, self._opened())

    def import_libraries(self, *, infers: bool, decodes: bool) -> None:
        """
        See `HostModule.import_libraries`.

        Raises:
            PicturesUnavailableError: The decoder is not installed.
        """
        if decodes:
            self._opened()

    def warm_ups(self) -> Sequence[Callable[[], None]]:
        """
        See `HostModule.warm_ups`. There is nothing to warm up.
        """
        return ()

    def _opened(self) -> Decoder:
        if self._decoder is None:
            self._decoder = self._open_decoder()
        return self._decoder


def _never(_: HostCall) -> PictureState:
    raise AssertionError("a module calls only what it imports")
