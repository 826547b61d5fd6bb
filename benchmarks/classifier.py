"""The function classify on a model, laid out so that our server and the native apps run the same."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import ROOT
from wasm_grpc.inference.protocol import TensorInfo
from wasm_grpc.inference.registry import open_backend

__all__ = ["QUEUE_WAIT", "Classifier", "find_classifier", "lay_out_classify"]

QUEUE_WAIT = "60s"
"""How long a call may wait for a worker."""

_FUNCTION = ROOT / "functions" / "classify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """
    A model with its labels.

    Attributes:
        model: TensorFlow Lite file: one picture in, one score for each label out.
        labels: Text file, a label a line.
    """

    model: Path
    labels: Path

    @property
    def title(self) -> str:
        """
        Its name for people.
        """
        return self.model.stem


def find_classifier(model: Path | None, labels: Path | None) -> Classifier | None:
    """
    Return the model that was asked for, else the function's own; None where there is no such function.
    """
    if not (_FUNCTION / "classify.wasm").exists():
        return None
    if model is None or labels is None:
        (own,) = (_FUNCTION / "model").glob("*.tflite")
        return Classifier(model=own, labels=_FUNCTION / "model" / "labels.txt")
    return Classifier(model=model.absolute(), labels=labels.absolute())


def lay_out_classify(classifier: Classifier, place: Path) -> None:
    """
    Make a folder of the function in which it runs that model on plainly resized pictures.
    """
    (place / "model").mkdir(parents=True)
    shutil.copy(_FUNCTION / "classify.wasm", place)
    shutil.copy(classifier.model, place / "model" / "model.tflite")
    shutil.copy(classifier.labels, place / "model" / "labels.txt")
    taken = open_backend().open(str(classifier.model), threads=1).inputs[0]
    (place / "function.toml").write_text(_manifest(taken), "utf-8")


def _manifest(taken: TensorInfo) -> str:
    _, height, width, channels = taken.shape
    return f"""
name = "classify"
module = "classify.wasm"
response = "cgi"
env = {{ LABELS = "/model/labels.txt", INPUT = "{height}x{width}x{channels}:{taken.type.value}", TOP = "5" }}
limits = {{ memory = "256MiB", body = "16MiB", queue_wait = "{QUEUE_WAIT}" }}

[[trigger.invoke]]
method = "classify"

[capabilities]
files = [{{ host = "model/labels.txt", guest = "/model/labels.txt" }}]
nn.models.default = {{ path = "model/model.tflite" }}
"""
