"""wasi-nn answers the same on every engine and inference backend."""

from __future__ import annotations

import re

import pytest

from conformance import inference
from conformance.engines.table import assemble
from conformance.nn.cases import CASES
from conformance.nn.steps import CONTEXT, GRAPH, OUT, WRITTEN, Case, Cell, Step
from models import model_path
from wasm_grpc.core.model import Outcome, Reason
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.hosts.nn import ephemeral
from wasm_grpc.inference.protocol import Backend

__all__ = []


def run(engine: Engine, backend: Backend, case: Case) -> Outcome:
    """Run a case's guest once."""
    return inference.run(
        engine,
        backend,
        assemble(case.text()),
        {name: model_path(model) for name, model in case.models.items()},
        may_load=case.may_load,
        tensor_types=case.tensor_types,
    )


@pytest.mark.parametrize("name", CASES)
def test_case(engine: Engine, backend: Backend, name: str) -> None:
    """The guest finds every errno, handle and output as its case says, and the log tells what was wrong."""
    case = CASES[name]

    outcome = run(engine, backend, case)

    log = outcome.stderr.decode()
    if "…" in case.log:
        log = re.sub(r"\(.+\)", "(…)", log)
    assert (outcome.reason, outcome.exit_code, outcome.message, log) == (
        case.reason,
        0,
        case.message,
        f"wasi-nn: {case.log}\n" if case.log else "",
    )


def test_every_function_has_a_case() -> None:
    """The table above calls every function that can be imported."""
    called = {step[1] for case in CASES.values() for step in case.steps if isinstance(step, tuple)}

    assert called == {name for _, name in ephemeral.FUNCTIONS}


def test_handles_of_closed_things(engine: Engine, backend: Backend) -> None:
    """What was unloaded or finalised is unknown from then on, with all that belonged to it."""
    opened: list[Step] = [
        (0, "load_by_name", "m", GRAPH),
        (0, "init_execution_context", Cell(GRAPH), CONTEXT),
    ]
    finalised: list[Step] = [
        *opened,
        (0, "finalize_execution_context", Cell(CONTEXT)),
        (1, "finalize_execution_context", Cell(CONTEXT)),
        (1, "compute", Cell(CONTEXT)),
        (0, "init_execution_context", Cell(GRAPH), CONTEXT),
    ]
    unloaded: list[Step] = [
        *opened,
        (0, "unload", Cell(GRAPH)),
        (1, "unload", Cell(GRAPH)),
        (1, "init_execution_context", Cell(GRAPH), CONTEXT),
        (1, "get_output", Cell(CONTEXT), 0, OUT, 4, WRITTEN),
        (1, "compute", Cell(GRAPH)),  # a graph is no context
        (0, "load_by_name", "m", GRAPH),
    ]

    for steps in (finalised, unloaded):
        case = Case(steps=steps, models={"m": "add-f32"})
        outcome = run(engine, backend, case)
        assert (outcome.reason, outcome.exit_code) == (Reason.OK, 0)
        assert len(re.findall("is not open", outcome.stderr.decode())) == sum(
            step[0] == 1 for step in steps if isinstance(step, tuple)
        )


def test_handles_are_bounded(engine: Engine, backend: Backend) -> None:
    """The 257th handle that is open at once is BUSY; one that is closed makes room."""
    opens: list[Step] = [(0, "load_by_name", "m", GRAPH)] * 256
    steps: list[Step] = [
        *opens,
        (4, "load_by_name", "m", OUT),
        (4, "init_execution_context", Cell(GRAPH), OUT),
        (0, "unload", Cell(GRAPH)),
        (0, "load_by_name", "m", GRAPH),
    ]

    outcome = run(engine, backend, Case(steps=steps, models={"m": "add-f32"}))

    assert (outcome.reason, outcome.exit_code) == (Reason.OK, 0)
