"""Guests of the crate wasmedge_tensorflow_interface, whose own code is unchanged, run on every engine."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from conformance.inference import run
from models import model_path
from wasm_grpc.core.model import Reason
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.inference.protocol import Backend

__all__ = []

FOLDER = Path(__file__).parent / "guests"
MODELS = {"sum": model_path("add-f32")}
BODY = struct.pack("<8f", 1, 2, 3, 4, 0.5, -2, 10, 0.25)


def guest(generation: str) -> bytes:
    """Return the module of a generation of the crate: "first" (0.2.2) or "current" (0.3.0)."""
    return (FOLDER / generation / "guest.wasm").read_bytes()


@pytest.mark.parametrize("may_load", [False, True], ids=["granted", "own"])
@pytest.mark.parametrize("generation", ["first", "current"])
def test_it_runs_the_model_that_it_embeds(
    engine: Engine, backend: Backend, generation: str, *, may_load: bool
) -> None:
    """A granted model whose content it brings, or one of its own."""
    outcome = run(
        engine, backend, guest(generation), None if may_load else MODELS, body=BODY, may_load=may_load
    )

    assert (outcome.reason, outcome.body, outcome.stderr) == (
        Reason.OK,
        struct.pack("<4f", 1.5, 0, 13, 4.25),
        b"",
    )


def test_a_mistake_ends_a_guest_that_does_not_look(engine: Engine, backend: Backend) -> None:
    """The crate of 2021 ignores what the host returns, and would write an empty result."""
    wrong = run(engine, backend, guest("first"), MODELS, body=BODY[:16])
    broken = run(engine, backend, guest("first"), args=("broken",), body=BODY, may_load=True)

    append = "wasmedge_tensorflowlite_append_input: "
    assert (wrong.reason, wrong.message, wrong.stderr) == (
        Reason.TRAPPED,
        f"{append}input 0 'a': has 8 bytes; expected 1x4:f32, 16 bytes",
        b"",
    )
    assert (broken.reason, broken.message) == (
        Reason.TRAPPED,
        f"{append}session 0 is not open; expected one that create_session returned",
    )
    assert broken.stderr.startswith(
        b"wasmedge_tensorflowlite_create_session: the model is not a TensorFlow Lite model ("
    )


def test_a_mistake_is_told_to_a_guest_that_looks(engine: Engine, backend: Backend) -> None:
    """The crate since 0.3 panics with the errno, after what the host has logged."""
    wrong = run(engine, backend, guest("current"), MODELS, body=BODY[:16])
    broken = run(engine, backend, guest("current"), args=("broken",), body=BODY, may_load=True)

    for outcome, said in ((wrong, "append_input: input 0"), (broken, "create_session: the model is not")):
        log = outcome.stderr.decode()
        assert outcome.reason is Reason.TRAPPED
        assert log.startswith(f"wasmedge_tensorflowlite: {said}")
        assert 'name: "INVALID_ARGUMENT"' in log


@pytest.mark.parametrize("generation", ["first", "current"])
def test_models_of_full_tensorflow_are_refused(engine: Engine, backend: Backend, generation: str) -> None:
    """The guest ends with the sentence that says what can be run."""
    outcome = run(engine, backend, guest(generation), MODELS, args=("tensorflow",), body=BODY)

    name = "wasmedge_tensorflow_create_session" if generation == "first" else "create_session"
    assert (outcome.reason, outcome.message) == (
        Reason.TRAPPED,
        f"wasmedge_tensorflow.{name}: models of full TensorFlow can't be run; "
        "expected one of TensorFlow Lite, by wasmedge_tensorflowlite or wasi_ephemeral_nn",
    )
