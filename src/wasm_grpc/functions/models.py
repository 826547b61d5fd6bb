"""Named models, from the disk to what a worker is told of them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from wasm_grpc.core.errors import ConfigError, ManifestError
from wasm_grpc.core.model import KIB, MIB, Inference, Model
from wasm_grpc.functions.function import Function, file_below
from wasm_grpc.functions.layout import key_text
from wasm_grpc.functions.units import format_size
from wasm_grpc.functions.wording import shown

__all__ = ["model_key", "read_inference", "read_model"]

_SIZE_LIMIT_BYTES = 2048 * MIB
"""Of one model: a flatbuffer, which TensorFlow Lite models are, has 32-bit signed offsets."""
_PIECE_BYTES = 256 * KIB


def read_inference(function: Function) -> Inference:
    """
    Give what a function was granted of inference, its models as they are now.

    Raises:
        ManifestError: A model can't be had, or isn't the pinned one.
    """
    granted = function.manifest.capabilities.nn
    models: list[Model] = []
    problems: list[str] = []
    for name, wanted in granted.models.items():
        try:
            path = file_below(function.folder, wanted.path)
            model = read_model(name, path, wanted.path, threads=wanted.threads)
        except ConfigError as exc:
            problems.append(function.blame(f"{model_key(name, 'path')}: {exc}"))
            continue
        if wanted.sha256 not in (None, model.sha256):
            problem = f"{shown(wanted.path)} has {model.sha256}; expected {wanted.sha256}"
            problems.append(function.blame(f"{model_key(name, 'sha256')}: {problem}"))
        models.append(model)
    if problems:
        raise ManifestError(problems)
    return Inference(models=tuple(models), may_load=granted.load, tensor_types=granted.tensor_types)


def model_key(name: str, key: str) -> str:
    """
    Give a model's key as a person would write it.
    """
    return key_text(("capabilities", "nn", "models", name, key))


def read_model(name: str, path: Path, shown_path: str, *, threads: int = 1) -> Model:
    """
    Give a file as a model, with its digest. Whether it can be run is for a process of its own to find out.

    Raises:
        ConfigError: It can't be read, is empty or too large.
    """
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                size += len(piece)
                digest.update(piece)
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
