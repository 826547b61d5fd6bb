"""A model answers the same by each interface for inference."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.interface_guests import INTERFACES, guest_text
from conformance.engines.table import assemble
from conformance.inference import run
from wasm_grpc.core.model import Reason
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.inference.protocol import Backend

__all__ = []

REPOSITORY = Path(__file__).parents[3]
DIGITS = REPOSITORY / "functions" / "classify" / "model" / "digits.tflite"


def upright_stroke() -> bytes:
    """Return the digit 1, white on black, 28x28."""
    rows = [bytes(13) + b"\xff\xff\xff" + bytes(12) if 4 <= row < 24 else bytes(28) for row in range(28)]
    return b"".join(rows)


@pytest.mark.parametrize("may_load", [False, True], ids=["granted", "own"])
def test_every_interface_gives_the_same_scores(engine: Engine, backend: Backend, *, may_load: bool) -> None:
    """The digit 1 is read with the same scores by wasi-nn and by both tables of wasmedge_tensorflowlite."""
    content = DIGITS.read_bytes()
    session = backend.open(content, threads=1)
    models = None if may_load else {"model": DIGITS}
    scores: dict[str, bytes] = {}

    for interface in INTERFACES:
        if may_load and interface == "wasi-nn-name":
            continue
        wasm = assemble(guest_text(interface, content, session))
        outcome = run(engine, backend, wasm, models, body=upright_stroke(), may_load=may_load)
        assert (outcome.reason, outcome.message, outcome.stderr) == (Reason.OK, "", b"")
        scores[interface] = outcome.body

    assert len(set(scores.values())) == 1
    (found,) = set(scores.values())
    assert max(range(10), key=found.__getitem__) == 1
