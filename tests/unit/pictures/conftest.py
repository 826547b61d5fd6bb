"""The picture decoder that the tests share."""

from __future__ import annotations

import pytest

from pixels.decoders import installed_decoder
from wasm_grpc.pictures.protocol import Decoder

__all__ = ["decoder"]


@pytest.fixture(scope="session")
def decoder() -> Decoder:
    """Open the decoder that this interpreter has."""
    return installed_decoder()
