"""TensorFlow Lite models run, keep nothing for the next, and say what is wrong with them."""

from __future__ import annotations

import ctypes
import signal
import struct
from pathlib import Path

import pytest

from models import model_bytes, model_path
from wasm_grpc.core.errors import ModelError, UnsupportedModelError
from wasm_grpc.core.faults import FatalFaults
from wasm_grpc.inference.protocol import Backend, TensorInfo, TensorType

__all__ = []


def f32(*values: float) -> bytes:
    """Pack numbers of 32 bits."""
    return struct.pack(f"<{len(values)}f", *values)


@pytest.mark.parametrize("source", ["contents", "file"])
def test_tensors_are_told(backend: Backend, source: str) -> None:
    """A session says names, types, shapes and sizes of its tensors, wherever its model comes from."""
    model = model_bytes("add-f32") if source == "contents" else str(model_path("add-f32"))

    session = backend.open(model, threads=1)

    a, b, total = (
        TensorInfo(name=name, type=TensorType.F32, shape=(1, 4), size_bytes=16) for name in ("a", "b", "sum")
    )
    assert (session.inputs, session.outputs) == ((a, b), (total,))
    assert str(session.inputs[0]) == "1x4:f32"


@pytest.mark.parametrize("threads", [1, 4])
def test_a_run(backend: Backend, threads: int) -> None:
    """Outputs are what the model computes, on any number of threads."""
    session = backend.open(model_bytes("add-f32"), threads=threads)

    assert session.run([f32(1, 2, 3, 4), f32(0.5, -2, 10, 0.25)], owner=1) == (f32(1.5, 0, 13, 4.25),)


@pytest.mark.parametrize("name", ["accumulate", "remember"])
@pytest.mark.parametrize("source", ["contents", "file"])
def test_what_a_model_keeps_is_its_owner_s(backend: Backend, name: str, source: str) -> None:
    """Variables last from run to run of one owner; another's begin anew, and so do those of who comes back."""
    session = backend.open(model_bytes(name) if source == "contents" else str(model_path(name)), threads=1)

    totals = [
        struct.unpack("<f", session.run([f32(x)], owner=owner)[0])[0]
        for owner, x in [(1, 1), (1, 2), (2, 5), (2, 1), (1, 7)]
    ]

    assert totals == [1, 3, 5, 6, 7]


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        (b"GIF89a, and no model", ModelError, "is not a TensorFlow Lite model ("),
        (b"", ModelError, "is not a TensorFlow Lite model ("),
        (model_bytes("custom"), UnsupportedModelError, "has operators that the backend lacks (Oracle)"),
        (model_bytes("future"), UnsupportedModelError, "has operators that the backend lacks (ADD)"),
        (model_bytes("words"), UnsupportedModelError, "tensor 'words' holds bytes; expected numbers"),
    ],
    ids=["no model", "empty", "custom operator", "operator of the future", "text"],
)
def test_a_bad_model(backend: Backend, model: bytes, kind: type[ModelError], message: str) -> None:
    """What can't be opened says why, on one line."""
    with pytest.raises(kind) as caught:
        backend.open(model, threads=1)

    assert str(caught.value).startswith(message)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


def test_a_run_that_fails(backend: Backend) -> None:
    """An input that the model can't work with is an error of that run alone."""
    session = backend.open(model_bytes("count-range"), threads=1)

    with pytest.raises(ModelError, match=r"^can't be run \(.+\)$"):
        session.run([struct.pack("<i", -1)], owner=1)

    assert session.run([struct.pack("<i", 2)], owner=2) == (struct.pack("<2i", 0, 1),)


def test_faults_are_fatal_within() -> None:
    """The handler of a fault is the default while it is entered, and afterwards what it was."""
    seen: list[int] = []
    faults = FatalFaults()
    # An engine that another test has opened in this process needs its handler back, which is none of Python's.
    sigaction, kept = ctypes.CDLL(None).sigaction, ctypes.create_string_buffer(256)
    sigaction(signal.SIGFPE, None, kept)
    signal.signal(signal.SIGFPE, lambda number, frame: seen.append(number))
    try:
        for _ in range(2):
            with faults:
                assert not _is_caught(signal.SIGFPE)
            assert _is_caught(signal.SIGFPE)
            signal.raise_signal(signal.SIGFPE)
    finally:
        sigaction(signal.SIGFPE, kept, None)

    assert seen == [signal.SIGFPE, signal.SIGFPE]


def _is_caught(number: signal.Signals) -> bool:
    """Say whether the kernel knows a handler of this process for the signal."""
    status = Path("/proc/self/status").read_text().splitlines()
    caught = next(int(line.split()[1], 16) for line in status if line.startswith("SigCgt:"))
    return bool(caught >> (number - 1) & 1)
