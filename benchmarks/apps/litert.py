"""What the native app does with a picture: the five best labels, as Pillow and ai-edge-litert give them."""

from __future__ import annotations

import importlib
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

__all__ = ["best_labels", "open_model"]

_TOP = 5

_opened: list[Any] = []
"""The interpreter, its input, its output and the labels: one model a process."""


def open_model(model: str, labels: str) -> None:
    """
    Make a process ready, once.
    """
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(model, num_threads=1)
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    _opened[:] = [interpreter, taken, given, Path(labels).read_text("utf-8").splitlines()]


def best_labels(photo: bytes) -> bytes:
    """
    Return the JSON of the labels with the highest scores, best first.
    """
    interpreter, taken, given, labels = _opened
    _, height, width, channels = taken["shape"]
    with Image.open(io.BytesIO(photo)) as picture:
        small = picture.convert("L" if channels == 1 else "RGB").resize(
            (width, height), Image.Resampling.BILINEAR
        )
    numpy = importlib.import_module("numpy")
    pixels = numpy.asarray(small, dtype=taken["dtype"]).reshape(taken["shape"])
    interpreter.set_tensor(taken["index"], pixels)
    interpreter.invoke()
    scores = interpreter.get_tensor(given["index"])[0]
    scale = given["quantization"][0] or 1.0
    best = numpy.argsort(scores)[::-1][:_TOP]
    ranked = [{"label": labels[index], "score": round(float(scores[index] * scale), 4)} for index in best]
    return json.dumps({"labels": ranked}).encode()
