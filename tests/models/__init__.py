"""Tiny TensorFlow Lite models whose results can be worked out by hand; `build` makes them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["model_bytes", "model_path"]


def model_path(name: str) -> Path:
    """Return the file of a model."""
    return Path(__file__).with_name(f"{name}.tflite")


def model_bytes(name: str) -> bytes:
    """Return a model's contents."""
    return model_path(name).read_bytes()
