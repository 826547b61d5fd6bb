"""Log lines: what nobody may forge, and who may not be held up."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import threading
from collections.abc import Iterator

import pytest

from wasm_grpc.cli.background_logs import logging_in_background
from wasm_grpc.cli.logs import log_to

LOG = logging.getLogger("wasm_grpc.test")
TIME = re.compile(r"^\d\d:\d\d:\d\d ", re.MULTILINE)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave the package's logger as it was."""
    logger = logging.getLogger("wasm_grpc")
    before = (list(logger.handlers), logger.level, logger.propagate)
    yield
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.mark.parametrize("in_background", [False, True])
def test_a_message_stays_on_its_line(*, in_background: bool) -> None:
    """What a guest or a caller wrote can't begin a line of its own, nor steer a terminal."""
    stream = io.StringIO()
    log_to(stream)
    said = "a\nERROR forged\r\x1b[2K\x07\x85\u2028\u202ex\u200b\ufeff\U000e0041 größer 😀"

    if in_background:
        with logging_in_background():
            LOG.info("it said: %s", said)
    else:
        LOG.info("it said: %s", said)

    assert TIME.sub("", stream.getvalue()) == (
        "INFO    it said: a\\nERROR forged\\r\\x1b[2K\\x07\\x85\\u2028\\u202ex\\u200b\\ufeff\\U000e0041 größer 😀\n"
    )


@pytest.mark.parametrize("in_background", [False, True])
@pytest.mark.parametrize("character", ["x", "\x1b"], ids=["printable", "escaped"])
def test_a_long_message_is_cut(character: str, *, in_background: bool) -> None:
    """Whatever it holds: a line has no more than 8,192 characters after the time and level."""
    stream = io.StringIO()
    log_to(stream)

    with logging_in_background() if in_background else contextlib.nullcontext():
        LOG.info("it said: %s", character * 3_000_000)

    (line,) = stream.getvalue().splitlines()
    message = TIME.sub("", line).removeprefix("INFO    ")
    assert len(message) == 8192
    assert message.endswith("… (3000009 characters)")


@pytest.mark.parametrize("in_background", [False, True])
def test_a_traceback_keeps_its_lines(*, in_background: bool) -> None:
    """Only the message is one line. Those of the traceback are indented, so that none is taken for a message."""
    stream = io.StringIO()
    log_to(stream)

    def fail() -> None:
        nothing: dict[str, str] = {}
        try:
            nothing["x\ny"]
        except KeyError:
            LOG.exception("internal\nerror")

    if in_background:
        with logging_in_background():
            fail()
    else:
        fail()

    lines = TIME.sub("", stream.getvalue()).splitlines()
    assert (lines[0], lines[1], lines[-1]) == (
        "ERROR   internal\\nerror",
        "  Traceback (most recent call last):",
        "  KeyError: 'x\\ny'",
    )


def test_nobody_waits_for_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines for which there is no room are dropped and counted; the others are written, in their order."""
    monkeypatch.setattr("wasm_grpc.cli.background_logs._QUEUE_LINES", 3)
    released, began = threading.Event(), threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            began.set()
            released.wait(10)
            return super().write(text)

    stream = Stuck()
    log_to(stream)
    with logging_in_background():
        LOG.info("first")
        assert began.wait(10)
        for number in range(10):
            LOG.info("line %d", number)
        released.set()
        while "line 2" not in stream.getvalue():
            os.sched_yield()
        LOG.info("last")

    lines = TIME.sub("", stream.getvalue()).splitlines()
    assert lines == [
        "INFO    first",
        *(f"INFO    line {number}" for number in range(3)),
        "INFO    (7 lines before this were dropped) last",
    ]


def test_an_end_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that takes nothing does not keep the command from ending."""
    monkeypatch.setattr("wasm_grpc.cli.background_logs._FLUSH_S", 0.1)
    forever = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            forever.wait(10)
            return super().write(text)

    log_to(Stuck())
    with logging_in_background():
        LOG.info("never written")

    forever.set()
