"""Which function is to blame for a process that ended, and when it may be loaded again."""

from __future__ import annotations

import pytest

from wasm_grpc.core.model import MIB
from wasm_grpc.pool.blame import BLOCKED_S, Blames

NAMES = ("e", "f")
DIED = "its worker died while loading it (exit code 7)"


def die(blames: Blames, now_s: float) -> None:
    """Let a process die while it loads function 1."""
    blames.died(1, 4711, 7, now_s, memory_bytes=64 * MIB)


def test_the_second_death_blocks() -> None:
    """One death may be chance; after two nobody loads the function, and its neighbour is not affected."""
    blames = Blames(NAMES)
    die(blames, 0)
    after_one = blames.blocked(1, 0)
    die(blames, 1)

    assert (after_one, blames.blocked(1, 1), blames.blocked(0, 1)) == ("", DIED, "")


def test_a_load_that_succeeds_clears_the_blame() -> None:
    """A death before the last success does not count."""
    blames = Blames(NAMES)
    die(blames, 0)
    blames.loaded(1)
    die(blames, 1)

    assert blames.blocked(1, 1) == ""


def test_a_worker_that_loads_it_clears_no_template() -> None:
    """What templates die of, some workers may survive: their success says nothing of the next template."""
    blames = Blames(NAMES)
    for now_s in (0, 1):
        blames.died(1, 4711, 7, now_s, memory_bytes=64 * MIB, is_template=True)
        blames.loaded(1)

    assert blames.blocked(1, 1) == DIED


def test_a_template_that_loads_it_clears_all() -> None:
    """Every worker that is forked from it has it."""
    blames = Blames(NAMES)
    blames.died(1, 4711, 7, 0, memory_bytes=64 * MIB, is_template=True)
    blames.loaded(1, is_template=True)
    die(blames, 1)

    assert blames.blocked(1, 1) == ""


def test_a_delay_blocks_at_once() -> None:
    """A time-out is no chance: the first one blocks the function."""
    blames = Blames(NAMES)
    blames.delayed(1, 0)

    assert blames.blocked(1, 0) == "its worker took longer than 10 s to load it"


def test_a_blocked_function_is_tried_again() -> None:
    """After its time one more process may load it, and one more death blocks it again."""
    blames = Blames(NAMES)
    die(blames, 0)
    die(blames, 0)
    in_time, after = blames.blocked(1, BLOCKED_S - 1), blames.blocked(1, BLOCKED_S)
    die(blames, BLOCKED_S)

    assert (in_time, after, blames.blocked(1, BLOCKED_S)) == (DIED, "", DIED)


def test_what_the_log_says(caplog: pytest.LogCaptureFixture) -> None:
    """Each death names the function, the process, and what happens next."""
    blames = Blames(NAMES)
    die(blames, 0)
    die(blames, 0)

    hint = "(a worker may take 64 MiB, which WASM_GRPC_WORKER_BYTES raises)"
    start = "function 'f': worker 4711 ended with exit code 7 while loading it;"
    assert caplog.messages == [
        f"{start} it is tried once more {hint}",
        f"{start} its calls are refused for 30 s ({DIED}) {hint}",
    ]
