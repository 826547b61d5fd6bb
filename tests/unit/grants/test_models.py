"""A function's models, from its manifest and folder to what a worker is told."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from wasm_grpc.catalogue.folder import read_functions
from wasm_grpc.core.errors import ManifestError
from wasm_grpc.core.model import Inference, Model, TensorTypes
from wasm_grpc.grants.function import read_inference

__all__ = []


def read(folder: Path, granted: str) -> Inference:
    """Read the inference that a function's manifest grants."""
    place = folder / "f"
    place.mkdir(exist_ok=True)
    (place / "f.wasm").write_bytes(b"\0asm\1\0\0\0")
    (place / "function.toml").write_text(
        f'name = "f"\nmodule = "f.wasm"\n[[trigger.invoke]]\nmethod = "f"\n[capabilities.nn]\n{granted}\n'
    )
    return read_inference(read_functions(folder)[0])


def test_models_are_read(tmp_path: Path) -> None:
    """Each has its digest, its size and where it lies; threads and types are the manifest's."""
    content = b"a model"
    digest = hashlib.sha256(content).hexdigest()
    (tmp_path / "f" / "model").mkdir(parents=True)
    (tmp_path / "f" / "model" / "m.tflite").write_bytes(content)

    granted = read(
        tmp_path,
        f"""
        load = true
        tensor_types = "new"
        models.default = {{ path = "model/m.tflite", sha256 = "{digest}" }}
        models.fast = {{ path = "model/m.tflite", threads = 4 }}
        """,
    )

    place = str((tmp_path / "f" / "model" / "m.tflite").resolve())
    assert granted == Inference(
        models=(
            Model(name="default", host=place, size=7, sha256=digest),
            Model(name="fast", host=place, size=7, sha256=digest, threads=4),
        ),
        may_load=True,
        tensor_types=TensorTypes.NEW,
    )


def test_nothing_is_granted_by_default(tmp_path: Path) -> None:
    """Without the table there is no inference."""
    assert read(tmp_path, "") == Inference()
    assert not read(tmp_path, "").is_granted
    assert read(tmp_path, "load = true").is_granted


def test_every_model_that_is_wrong_is_named(tmp_path: Path) -> None:
    """A line each, by its own key, quoted where TOML wants it so."""
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "empty").touch()

    with pytest.raises(ManifestError) as caught:
        read(tmp_path, 'models.gone = { path = "gone.tflite" }\nmodels."my model" = { path = "empty" }\n')

    assert caught.value.problems == (
        "f/function.toml: capabilities.nn.models.gone.path: no file 'gone.tflite'; "
        "expected it below the function's folder",
        "f/function.toml: capabilities.nn.models.\"my model\".path: 'empty' is empty; "
        "expected a TensorFlow Lite model",
    )
