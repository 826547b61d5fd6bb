"""Which session a guest gets for the model that it brings."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from wasm_grpc.core.errors import ModelError
from wasm_grpc.core.model import Inference, Model
from wasm_grpc.inference.execution import Execution
from wasm_grpc.inference.grants import LargeModelError, ModelGrants, UngrantedModelError
from wasm_grpc.inference.mapped import MappedFile
from wasm_grpc.inference.models import Models
from wasm_grpc.inference.protocol import TensorInfo, TensorType

__all__ = []

MODEL = bytes(range(256)) * 40


@dataclass(eq=False)
class Session:
    """A session that remembers what it runs; a run of zeros fails."""

    content: bytes
    inputs: tuple[TensorInfo, ...] = (TensorInfo(name="x", type=TensorType.U8, shape=(3,), size_bytes=3),)
    outputs: tuple[TensorInfo, ...] = inputs

    def run(self, inputs: Sequence[bytes], *, owner: int) -> tuple[bytes, ...]:
        """Return the input."""
        if not any(inputs[0]):
            raise ModelError("can't be run (zero)")
        return (inputs[0],)


class Backend:
    """A backend that opens anything."""

    name, version = "fake", "1"

    def open(self, model: bytes | str, *, threads: int) -> Session:
        """Return a new session."""
        return Session(Path(model).read_bytes() if isinstance(model, str) else model)


def write_model(path: Path, content: bytes = MODEL) -> Model:
    """Write a model, and return it as the server would name it."""
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return Model(name=path.name, host=str(path), size=len(content), sha256=digest)


def memory(content: bytes) -> memoryview:
    """Return bytes as they lie in a guest's memory."""
    return memoryview(bytearray(b"\xff" * 7 + content + b"\xff"))[7 : 7 + len(content)]


@pytest.fixture
def file(tmp_path: Path) -> MappedFile:
    """Map the model's file, and close and remove it."""
    path = tmp_path / "m"
    path.write_bytes(MODEL)
    handle = os.open(path, os.O_RDONLY)
    mapped = MappedFile(handle, len(MODEL))
    os.close(handle)
    path.unlink()
    return mapped


@pytest.mark.parametrize(
    ("content", "is_same"),
    [
        (MODEL, True),
        (MODEL[:-1], False),
        (MODEL + b"\0", False),
        (b"", False),
        (b"\1" + MODEL[1:], False),
        (MODEL[:-1] + b"\0", False),
    ],
    ids=["same", "shorter", "longer", "empty", "first byte", "last byte"],
)
def test_content_is_compared_byte_for_byte(file: MappedFile, content: bytes, *, is_same: bool) -> None:
    """The file need not exist any more."""
    assert file.equals(memory(content)) is is_same


def test_what_can_not_be_mapped_is_an_error(tmp_path: Path) -> None:
    """The error is that of the system."""
    handle = os.open(tmp_path, os.O_RDONLY)

    with pytest.raises(OSError, match="No such device"):
        MappedFile(handle, 1)
    os.close(handle)


def test_a_mapping_takes_no_descriptor(tmp_path: Path) -> None:
    """A worker may hold more models than it may open files."""
    models = Models(Backend)
    before = len([*Path("/proc/self/fd").iterdir()])

    models.grant(Inference(models=(write_model(tmp_path / "a"), write_model(tmp_path / "b", b"other"))))

    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_a_granted_model_may_be_brought(tmp_path: Path) -> None:
    """The function may run it by its name and by its content, and no other."""
    a, b = write_model(tmp_path / "a"), write_model(tmp_path / "b", MODEL[::-1])

    grants = Models(Backend).grant(Inference(models=(a, b)))

    assert grants.brought(memory(MODEL)) is grants.named["a"]
    assert grants.brought(memory(MODEL[::-1])) is grants.named["b"]
    with pytest.raises(UngrantedModelError):
        grants.brought(memory(MODEL[1:]))


def test_two_functions_share_what_one_of_them_brings(tmp_path: Path) -> None:
    """A process has one session of a model, whoever was granted it and however it is named."""
    models = Models(Backend)
    one = models.grant(Inference(models=(write_model(tmp_path / "a"),)))
    other = models.grant(Inference(models=(write_model(tmp_path / "b"),)))

    assert one.brought(memory(MODEL)) is other.named["b"]


def test_a_granted_model_is_not_opened_again(tmp_path: Path) -> None:
    """A function that may bring its own models gets the granted session for the granted content."""
    grants = Models(Backend).grant(Inference(models=(write_model(tmp_path / "a"),), may_load=True))

    own = grants.brought(memory(b"own"))

    assert isinstance(own, Session)
    assert own.content == b"own"
    assert grants.brought(memory(MODEL)) is grants.named["a"]


def test_nothing_is_granted() -> None:
    """No backend is opened for a function without models."""

    def open_backend() -> Backend:
        raise AssertionError

    grants = Models(open_backend).grant(Inference())

    assert grants.named == {}
    with pytest.raises(UngrantedModelError):
        grants.brought(memory(MODEL))


def test_an_own_model_is_limited() -> None:
    """Its bytes are not copied."""

    def load(content: bytes) -> Session:
        raise AssertionError

    grants = ModelGrants(load=load)

    with pytest.raises(LargeModelError, match=r"^has 67108865 bytes; expected at most 67108864$"):
        grants.brought(memoryview(bytearray((64 << 20) + 1)))


def test_a_run_that_fails_leaves_no_outputs() -> None:
    """Nobody takes the outputs of an earlier run for those of a later one."""
    execution = Execution(Session(b""))
    execution.inputs[0] = b"abc"
    execution.run()
    assert execution.outputs == (b"abc",)

    execution.inputs[0] = bytes(3)
    with pytest.raises(ModelError):
        execution.run()
    assert execution.outputs is None
