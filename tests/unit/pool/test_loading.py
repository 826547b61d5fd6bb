"""Which functions a worker has loaded, and which it loads now."""

from __future__ import annotations

import pytest

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.pool.loading import Loading

WORKER = 1


def loading(*sent: int) -> Loading:
    """Return the record of one worker that was sent these functions."""
    record = Loading()
    record.add(WORKER)
    for index in sent:
        record.sent(WORKER, index)
    return record


def test_answers_come_in_order() -> None:
    """The function that is loaded now is the first without an answer."""
    record = loading(5, 6)
    currents = [record.current(WORKER)]

    for index in (5, 6):
        record.answered(WORKER, index, is_loaded=True)
        currents.append(record.current(WORKER))

    assert currents == [5, 6, None]


@pytest.mark.parametrize("index", [6, 7], ids=["not its turn", "not sent"])
def test_an_answer_out_of_turn(index: int) -> None:
    """An answer to another frame than the first unanswered one breaks the protocol."""
    with pytest.raises(ProtocolError, match="it answers no LOAD"):
        loading(5, 6).answered(WORKER, index, is_loaded=True)


def test_an_answer_that_is_repeated() -> None:
    """Each LOAD has one answer."""
    record = loading(5)
    record.answered(WORKER, 5, is_loaded=True)

    with pytest.raises(ProtocolError, match="it answers no LOAD"):
        record.answered(WORKER, 5, is_loaded=True)


def test_a_function_that_a_worker_refused_is_not_loaded() -> None:
    """After LOAD_FAILED the worker may be sent the function again."""
    record = loading(5)
    record.answered(WORKER, 5, is_loaded=False)

    assert not record.is_loaded(WORKER, 5)


def test_a_worker_that_is_lost() -> None:
    """A lost worker tells what it was loading, and nothing where it was done."""
    busy, done = loading(5, 6), loading()

    assert (busy.lost(WORKER), done.lost(WORKER)) == (5, None)
