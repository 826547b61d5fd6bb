"""Copies of the function `classify` with other options and models, and what they answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from integration.client import Caller

__all__ = ["CLASSIFY", "Answer", "classify", "write_classifier"]

CLASSIFY = Path(__file__).parents[2] / "functions" / "classify"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the function takes a picture for: labels with their scores, best first."""

    model: str
    labels: list[tuple[str, float]]

    @property
    def best(self) -> str:
        """The first label."""
        return self.labels[0][0]


def write_classifier(
    folder: Path,
    name: str,
    *,
    model: Path | None,
    labels: Sequence[str] | bytes | None,
    env: Mapping[str, str],
) -> None:
    """Write ``<folder>/<name>/``: the function with this model and its labels, if any, as the method `name`."""
    place = folder / name
    place.mkdir(parents=True)
    shutil.copy(CLASSIFY / "classify.wasm", place)
    (place / "model").mkdir()
    if labels is not None:
        text = labels if isinstance(labels, bytes) else "".join(f"{label}\n" for label in labels).encode()
        (place / "model" / "labels.txt").write_bytes(text)
    granted = ""
    if model is not None:
        shutil.copy(model, place / "model.tflite")
        granted = '[capabilities.nn]\nmodels.default = { path = "model.tflite" }\n'
    variables = "".join(f"{key} = {json.dumps(value)}\n" for key, value in env.items())
    (place / "function.toml").write_text(
        f'name = "{name}"\nmodule = "classify.wasm"\nresponse = "cgi"\n[env]\n{variables}'
        f'[limits]\nmemory = "256MiB"\nbody = "64MiB"\n[[trigger.invoke]]\nmethod = "{name}"\n'
        f'[capabilities]\nfiles = [{{ host = "model", guest = "/model" }}]\n{granted}'
    )


async def classify(caller: Caller, method: str, picture: bytes) -> Answer:
    """Return the function's answer as JSON says it; raises `grpc.aio.AioRpcError`."""
    reply = await caller.invoke(method, picture)
    assert reply.content_type == "application/json"
    answer = json.loads(reply.body)
    assert list(answer) == ["model", "labels"]
    return Answer(answer["model"], [(found["label"], found["score"]) for found in answer["labels"]])
