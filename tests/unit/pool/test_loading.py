"""Which function is blamed for a worker that ends while it loads, and for how long."""

from __future__ import annotations

import pytest

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.pool.loading import BLOCKED_S, Loading

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
        assert record.answered(WORKER, index, is_loaded=True)
        currents.append(record.current(WORKER))

    assert currents == [5, 6, None]


@pytest.mark.parametrize("index", [6, 7], ids=["not its turn", "not sent"])
def test_an_answer_out_of_turn(index: int) -> None:
    """An answer to another frame than the first unanswered one breaks the protocol."""
    with pytest.raises(ProtocolError, match="answer to a LOAD that was not sent"):
        loading(5, 6).answered(WORKER, index, is_loaded=True)


def test_an_answer_that_is_repeated() -> None:
    """A second LOADED of a function changes nothing, and is told apart."""
    record = loading(5)
    record.answered(WORKER, 5, is_loaded=True)

    assert not record.answered(WORKER, 5, is_loaded=True)


def test_a_function_that_a_worker_refused_is_not_loaded() -> None:
    """After LOAD_FAILED the worker may be sent the function again."""
    record = loading(5)
    record.answered(WORKER, 5, is_loaded=False)

    assert not record.is_loaded(WORKER, 5)


def test_one_death_may_be_chance() -> None:
    """Only the second death in a row blocks a function."""
    record = loading()
    record.blame_death(5, "died", 0)
    after_one = record.blocked(5, 0)
    record.blame_death(5, "died again", 1)

    assert (after_one, record.blocked(5, 1), record.blocked(6, 1)) == ("", "died again", "")


def test_a_load_that_succeeds_clears_the_blame() -> None:
    """A death before the last success does not count."""
    record = loading(5)
    record.blame_death(5, "died", 0)
    record.answered(WORKER, 5, is_loaded=True)
    record.blame_death(5, "died", 1)

    assert record.blocked(5, 1) == ""


def test_a_delay_blocks_at_once() -> None:
    """A time-out is no chance: the first one blocks the function."""
    record = loading()
    record.blame_delay(5, "late", 0)

    assert record.blocked(5, 0) == "late"


def test_a_blocked_function_is_tried_again() -> None:
    """After its time one more worker may load it, and one more death blocks it again."""
    record = loading()
    record.blame_death(5, "died", 0)
    record.blame_death(5, "died", 0)
    in_time, after = record.blocked(5, BLOCKED_S - 1), record.blocked(5, BLOCKED_S)
    record.blame_death(5, "died", BLOCKED_S)

    assert (in_time, after, record.blocked(5, BLOCKED_S)) == ("died", "", "died")


def test_a_worker_that_is_lost() -> None:
    """A lost worker tells what it was loading, and nothing where it was done."""
    busy, done = loading(5, 6), loading()

    assert (busy.lost(WORKER), done.lost(WORKER)) == (5, None)
