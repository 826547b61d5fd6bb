"""Models whose operators would leave their tensors' memory are refused, others are not."""

from __future__ import annotations

import random
import struct

import pytest

from models import model_bytes, model_path
from wasm_grpc.core.errors import ModelError
from wasm_grpc.inference.protocol import Backend

pytest.importorskip("flatbuffers", reason="flatbuffers: not installed; it comes with the inference backend")

from wasm_grpc.inference.operators import check_operators, rules_for

__all__ = []

MESSAGE = "has an operator {} that may access memory outside its tensors; expected constant parameters that are in range"
RIGHT = (
    "add-f32",
    "count-up",
    "remember",
    "mirror-pad",
    "pick",
    "scatter",
    "slice",
    "transpose",
    "transpose-from-the-end",
)
WRONG = {
    "pick-computed": "STRIDED_SLICE",
    "pick-outside": "STRIDED_SLICE",
    "set-diagonal": "MATRIX_SET_DIAG",
    "transpose-twice": "TRANSPOSE",
    "transpose-computed": "TRANSPOSE",
    "transpose-nothing": "TRANSPOSE",
    "transpose-outside": "TRANSPOSE",
    "transpose-wide": "TRANSPOSE",
    "transpose-within": "TRANSPOSE",
}
WRITTEN = {
    "transpose-given": "order",
    "transpose-shared": "twin",
    "transpose-written": "order",
}
WRONG_ON_TFLITE_RUNTIME = {
    "slice-outside": "SLICE",
    "slice-computed": "SLICE",
    "mirror-pad-outside": "MIRROR_PAD",
    "scatter-outside": "SCATTER_ND",
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("distribution", ["ai-edge-litert", "tflite-runtime"])
def test_operators_within_their_tensors(name: str, distribution: str) -> None:
    """What is constant and in range passes."""
    check_operators(model_bytes(name), rules_for(distribution))


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("distribution", ["ai-edge-litert", "tflite-runtime"])
def test_operators_that_no_backend_checks(name: str, distribution: str) -> None:
    """A permutation must be one, and known ahead; also where another graph calls for it."""
    with pytest.raises(ModelError) as caught:
        check_operators(model_bytes(name), rules_for(distribution))

    assert str(caught.value) == MESSAGE.format(WRONG[name])


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("distribution", ["ai-edge-litert", "tflite-runtime"])
def test_contents_that_are_written(name: str, distribution: str) -> None:
    """What operators were prepared for must stay: no contents lie where a caller or an operator writes."""
    with pytest.raises(ModelError) as caught:
        check_operators(model_bytes(name), rules_for(distribution))

    assert str(caught.value) == (
        f"has a tensor '{WRITTEN[name]}' with contents that are written over; "
        "expected none in what the caller or an operator writes"
    )


@pytest.mark.parametrize("name", WRONG_ON_TFLITE_RUNTIME)
def test_operators_that_the_older_backend_does_not_check(name: str) -> None:
    """They are refused on the backend that would read or write out of bounds, and on no other."""
    check_operators(model_bytes(name), rules_for("ai-edge-litert"))
    with pytest.raises(ModelError) as caught:
        check_operators(model_bytes(name), rules_for("tflite-runtime"))

    assert str(caught.value) == MESSAGE.format(WRONG_ON_TFLITE_RUNTIME[name])


@pytest.mark.parametrize("as_file", [False, True], ids=["contents", "file"])
@pytest.mark.parametrize(
    "name",
    [
        "transpose-twice",
        "transpose-computed",
        "transpose-within",
        *WRITTEN,
        "transpose-nothing",
        "transpose-wide",
    ],
)
def test_the_backend_opens_none(backend: Backend, name: str, *, as_file: bool) -> None:
    """Whoever opens a model has it checked."""
    with pytest.raises(ModelError):
        backend.open(str(model_path(name)) if as_file else model_bytes(name), threads=1)


def test_the_backend_runs_what_is_right(backend: Backend) -> None:
    """A permutation that is one gives what it says."""
    session = backend.open(model_bytes("transpose"), threads=1)

    (answer,) = session.run([struct.pack("<24i", *range(24))], owner=1)

    assert struct.unpack("<24i", answer)[:6] == (0, 4, 8, 12, 16, 20)


def test_mutated_models() -> None:
    """Whatever the bytes are: the check passes or says that it is no model, and never ends otherwise."""
    source = random.Random(0)
    for name in ("transpose", "slice", "transpose-within"):
        content = model_bytes(name)
        for _ in range(3000):
            mutated = bytearray(content)
            for _ in range(source.randint(1, 4)):
                mutated[source.randrange(len(mutated))] = source.randrange(256)
            try:
                check_operators(bytes(mutated), rules_for("tflite-runtime"))
            except ModelError:
                continue
