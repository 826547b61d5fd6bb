"""The picture decoder of this interpreter."""

from __future__ import annotations

import os

import pytest

from wasm_grpc.core.errors import PicturesUnavailableError
from wasm_grpc.pictures.protocol import Decoder
from wasm_grpc.pictures.registry import open_decoder

__all__ = ["installed_decoder"]


def installed_decoder() -> Decoder:
    """Open it; without one, skip the test, or fail it in CI."""
    try:
        return open_decoder()
    except PicturesUnavailableError as exc:
        # Not `rig.skip`: the rig needs libraries that the worker tower's environment has not.
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(str(exc))
