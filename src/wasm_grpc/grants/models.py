"""Read named models, which the server announces to workers."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.model import KIB, MIB, Model
from wasm_grpc.manifest.units import format_size
from wasm_grpc.manifest.wording import shown

__all__ = ["read_model"]

_SIZE_LIMIT_BYTES = 2048 * MIB
"""Limit on one model. TensorFlow Lite models are flatbuffers, whose offsets are signed 32-bit numbers."""
_PIECE_BYTES = 256 * KIB


def read_model(name: str, path: Path, shown_path: str, *, threads: int = 1) -> Model:
    """
    Return a file as a model, with its digest. A separate process checks whether the model runs.

    Raises:
        ConfigError: It can't be read, is empty or is too large.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                size += len(piece)
                digest.update(piece)
                # Checked while reading, since the file may still grow.
                if size >= _SIZE_LIMIT_BYTES:
                    limit = format_size(_SIZE_LIMIT_BYTES)
                    raise ConfigError(f"{shown(shown_path)} is too large; expected less than {limit}")
    except OSError as exc:
        raise ConfigError(
            f"{shown(shown_path)} can't be read: {exc.strerror}; expected a readable file"
        ) from exc
    if not size:
        raise ConfigError(f"{shown(shown_path)} is empty; expected a TensorFlow Lite model")
    return Model(
        name=name,
        host=os.fspath(path.resolve()),
        size=size,
        sha256=digest.hexdigest(),
        threads=threads,
    )
