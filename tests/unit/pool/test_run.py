"""An invocation whose worker is lost: who is to blame, and who goes to another worker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from wasm_grpc.core.model import GuestKind, Invocation, Reason, WorkerFunction
from wasm_grpc.core.observers import Observers
from wasm_grpc.pool.lease import Slots
from wasm_grpc.pool.run import Run, State
from wasm_grpc.pool.session import Session

pytestmark = pytest.mark.asyncio

FUNCTION = WorkerFunction(name="f", guest=GuestKind.WASI_COMMAND, artifact="artifact", digest="")
KILLED = -9


def batch(*, begun: int) -> list[Run]:
    """Return three runs that were sent to a worker, which says that it has begun so many."""
    process = SimpleNamespace(pid=1, begun=lambda: begun, kill=lambda: None)
    session = cast(Session, SimpleNamespace(process=process, connection=None))
    runs = [
        Run(
            1,
            0,
            FUNCTION,
            Invocation(id="i", function="f", body=b""),
            slots=cast(Slots, None),
            observers=Observers(),
        )
        for _ in range(3)
    ]
    for number, run in enumerate(runs, 1):
        run.assign(1, session, number)
    runs[0].take_turn()
    return runs


@pytest.mark.parametrize(
    ("begun", "first", "goes_on"),
    [
        (0, State.WAITING, [True, True, True]),
        (1, State.ENDED, [False, True, True]),
        (3, State.ENDED, [False, True, True]),
    ],
    ids=["none was begun", "the first was begun", "the worker counts what it did not answer"],
)
async def test_only_the_first_is_to_blame(begun: int, first: State, goes_on: list[bool]) -> None:
    """Whatever the worker counts: it has answered in order, so only the first run can be what killed it."""
    runs = batch(begun=begun)

    assert [run.worker_died(KILLED, blocked="") for run in runs] == goes_on
    assert [run.state for run in runs] == [first, State.WAITING, State.WAITING]


async def test_a_run_is_killed_alone() -> None:
    """A run that exceeds its time ends with its reason, and those behind it go to another worker."""
    runs = batch(begun=1)

    runs[0].kill(Reason.TIMEOUT, "too slow")

    assert [run.worker_died(KILLED, blocked="") for run in runs] == [False, True, True]
    assert (await runs[0].result).reason is Reason.TIMEOUT


async def test_a_batch_is_tried_as_often_as_its_first_run() -> None:
    """Lost workers count against the run whose turn it was, and not against those behind it."""
    first, second, third = batch(begun=0)

    for _ in range(2):
        assert [run.worker_died(KILLED, blocked="") for run in (first, second, third)] == [True] * 3
        session = cast(
            Session, SimpleNamespace(process=SimpleNamespace(pid=2, begun=lambda: 0), connection=None)
        )
        for number, run in enumerate((first, second, third), 1):
            run.assign(2, session, number)
        first.take_turn()

    assert [run.worker_died(KILLED, blocked="") for run in (first, second, third)] == [False, True, True]
