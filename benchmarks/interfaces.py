"""What WasmEdge's interface for inference costs, against wasi-nn, and against the way of the first demo."""

from __future__ import annotations

import contextlib
import shutil
import statistics
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cases import anew_subject, our_subject
from benchmarks.classifier import QUEUE_WAIT, Classifier
from benchmarks.client import invoke_request, load_client
from benchmarks.load import Load
from benchmarks.processes import ROOT, Server, serving
from benchmarks.runtimes import OurRuntime
from benchmarks.steps import measure_inference

__all__ = ["InterfaceCost", "measure_interfaces"]

_GUEST = ROOT / "tests" / "conformance" / "tensorflowlite" / "guests" / "first" / "guest.wasm"
"""Built in Rust with the crate of 2021; it embeds a model that adds two tensors."""
_MODEL = ROOT / "tests" / "models" / "add-f32.tflite"
_BODY = struct.pack("<8f", *range(8))
_METHOD = "add"
_CALLERS = 16
_ANEW_ROUNDS = 4
"""At most; a request of the app that makes everything anew takes a good part of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceCost:
    """
    Inference by each interface.

    Attributes:
        us: CPU time of an invocation in a worker with the model of classify, in microseconds, by interface
            (`interface_guests.INTERFACES`).
        rate: Requests a second of a module of 2021 with 16 callers, the median of the rounds.
        anew: The same, where engine, module, model and interpreter are made anew for each request.
        of_anew: The first of the second in one round.
    """

    us: Mapping[str, float]
    rate: float
    anew: float
    of_anew: float

    @property
    def of_wasi_nn(self) -> Mapping[str, float]:
        """
        The speed of each table of WasmEdge's, of wasi-nn's with a module that embeds the same model.
        """
        return {name: self.us["wasi-nn-load"] / us for name, us in self.us.items() if "wasi-nn" not in name}


def measure_interfaces(
    runtime: OurRuntime, classifier: Classifier, *, rounds: int, seconds: float, env: Mapping[str, str]
) -> InterfaceCost:
    """
    Measure a worker's cost, then start our server and the app that makes everything anew.

    Raises:
        ProgramError: A program failed, or a call.
    """
    us = measure_inference(runtime, classifier.model)
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as running:
        folder = Path(temporary)
        _write_function(folder / _METHOD)
        message = folder / "message"
        message.write_bytes(invoke_request(_METHOD, _BODY).SerializeToString())
        client = running.enter_context(load_client())

        def rate(server: Server) -> float:
            load = Load(address=server.address, message=str(message), callers=_CALLERS, seconds=seconds)
            outcome = client.run(load)
            return outcome.requests / outcome.seconds

        ours = running.enter_context(serving(our_subject(runtime.engine, str(folder)).command, env=env))
        anew = running.enter_context(serving(anew_subject(str(folder)).command, env=env))
        rates = [(rate(ours), rate(anew)) for _ in range(min(rounds, _ANEW_ROUNDS))]
    return InterfaceCost(
        us=us,
        rate=statistics.median(our for our, _ in rates),
        anew=statistics.median(other for _, other in rates),
        of_anew=statistics.median(our / other for our, other in rates),
    )


def _write_function(place: Path) -> None:
    place.mkdir()
    shutil.copy(_GUEST, place)
    shutil.copy(_MODEL, place / "model.tflite")
    (place / "function.toml").write_text(
        f'name = "{place.name}"\nmodule = "guest.wasm"\nlimits = {{ queue_wait = "{QUEUE_WAIT}" }}\n'
        f'[capabilities]\nnn.models.sum = {{ path = "model.tflite" }}\n'
        f'[[trigger.invoke]]\nmethod = "{place.name}"\n',
        "utf-8",
    )
