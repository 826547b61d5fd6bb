"""``wasmedge_tensorflowlite`` answers the same on every engine, by the names of either table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance.engines.table import assemble
from conformance.inference import run
from conformance.tensorflowlite.cases import CASES
from conformance.tensorflowlite.steps import SESSION, Case, Create, Delete, Output, Table
from models import model_bytes, model_path
from wasm_grpc.core.model import Reason
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.hosts.tensorflowlite import tensorflow
from wasm_grpc.hosts.tensorflowlite.abi import MODULE
from wasm_grpc.hosts.tensorflowlite.module import TensorflowLite
from wasm_grpc.inference.protocol import Backend

__all__ = []


def grant(*names: str) -> dict[str, Path]:
    """Return models of the tests' own by their names."""
    return {name: model_path(name) for name in names}


@pytest.mark.parametrize(
    ("name", "table"),
    [
        pytest.param(name, table, id=f"{name}-{table.value}")
        for name, case in CASES.items()
        for table in case.tables
    ],
)
def test_case(engine: Engine, backend: Backend, name: str, table: Table) -> None:
    """The guest finds every result as its case says, and its log or its end tells what was wrong."""
    case = CASES[name]

    outcome = run(engine, backend, assemble(case.text(table)), grant(*case.models), may_load=case.may_load)

    reason, message, lines = case.ending(table)
    log = "".join(f"{line}\n" for line in lines)
    assert (outcome.reason, outcome.exit_code) == (reason, 0)
    assert (like(message, outcome.message), like(log, outcome.stderr.decode())) == (message, log)


def like(expected: str, text: str) -> str:
    """Return a text with "N" for its handles and "…" for the backend's words, where these are expected."""
    if "…" in expected:
        text = re.sub(r"\([^\n]+\)", "(…)", text)
    return re.sub(r"\b(session|tensor|of) \d+", r"\1 N", text) if re.search(r"\bN\b", expected) else text


def test_every_function_has_a_case() -> None:
    """The table above calls every function that can be imported, by both of its names."""
    called = {
        f"{'' if table is Table.CURRENT else 'wasmedge_tensorflowlite_'}{step.name}"
        for case in CASES.values()
        for table in case.tables
        for step in case.steps
    }

    assert called == {name for module, name in TensorflowLite.functions if module == MODULE}


@pytest.mark.parametrize("table", Table)
def test_handles_are_bounded(engine: Engine, backend: Backend, table: Table) -> None:
    """The 257th handle that is open at once is refused; one that is closed makes room."""
    create = Create(model=model_bytes("double"))
    refused = Create(model=model_bytes("double"), place=SESSION + 8, errno=4)
    case = Case(steps=[*[create] * 256, refused, Delete(), create, refused])

    outcome = run(engine, backend, assemble(case.text(table)), grant("double"))

    assert (outcome.reason, outcome.exit_code) == (Reason.OK, 0)
    said = "create_session: 256 sessions and tensors are open; expected fewer"
    assert [line.endswith(said) for line in outcome.stderr.decode().splitlines()] == [True, True]


@pytest.mark.parametrize("table", Table)
def test_ten_thousand_sessions_one_after_the_other(engine: Engine, backend: Backend, table: Table) -> None:
    """A guest that deletes what it creates is never refused, and no handle comes twice."""
    case = Case(steps=[Create(model=model_bytes("double")), Output(output="twice")])
    kind, prefix, dropped = ("i32", "", "drop") if table is Table.CURRENT else ("i64", f"{MODULE}_", "")
    session, last = (f"({kind}.load (i32.const {at}))" for at in (SESSION, SESSION + 8))
    looped = case.text(table).replace(
        '(func (export "_start")',
        f"""(func (export "_start") (local $left i32) (local.set $left (i32.const 10_000)) (loop $next (call $one)
          (call $expect ({kind}.gt_u {session} {last}) (i32.const 99))
          ({kind}.store (i32.const {SESSION + 8}) {session})
          (call ${prefix}delete_session {session}) {dropped}
          (br_if $next (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
        (func $one""",
    )

    outcome = run(engine, backend, assemble(looped), grant("double"))

    assert (outcome.reason, outcome.exit_code, outcome.stderr) == (Reason.OK, 0, b"")


@pytest.mark.parametrize("name", tensorflow.FUNCTIONS)
def test_full_tensorflow_links_and_ends_the_guest(engine: Engine, backend: Backend, name: str) -> None:
    """A module that imports it is loaded, and one that calls it ends with a sentence."""
    kind = tensorflow.FUNCTIONS[name].type
    args = " ".join(f"({each}.const 0)" for each in kind.params)
    dropped = "drop" if kind.results else ""
    text = f"""(module
      (import "wasmedge_tensorflow" "{name}"
        (func $f (param {" ".join(kind.params)}) (result {" ".join(kind.results)})))
      (memory (export "memory") 1)
      (func (export "_start") (call $f {args}) {dropped}))"""

    outcome = run(engine, backend, assemble(text))

    assert (outcome.reason, outcome.message, outcome.stderr) == (
        Reason.TRAPPED,
        f"wasmedge_tensorflow.{name}: models of full TensorFlow can't be run; "
        "expected one of TensorFlow Lite, by wasmedge_tensorflowlite or wasi_ephemeral_nn",
        b"",
    )
