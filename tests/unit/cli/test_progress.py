"""The line that tells how far a streamed call is."""

from __future__ import annotations

import io

import pytest

from wasm_grpc.cli.progress import Progress, progress_line


@pytest.mark.parametrize(
    ("sent", "received", "elapsed_s", "line"),
    [
        (0, 0, 0.25, "sent 0 B (0 B/s), received 0 B (0 B/s)"),
        (1023, 2048, 2.0, "sent 1023 B (512 B/s), received 2.0 KiB (1.0 KiB/s)"),
        (5 << 20, 3 << 30, 2.0, "sent 5.0 MiB (2.5 MiB/s), received 3.0 GiB (1.5 GiB/s)"),
    ],
    ids=["nothing", "bytes", "much"],
)
def test_a_line(sent: int, received: int, elapsed_s: float, line: str) -> None:
    """The line has the bytes each way, and how many of them a second."""
    assert progress_line(sent, received, elapsed_s) == line


def test_nothing_is_drawn_where_it_is_not_shown() -> None:
    """A progress that isn't shown writes nothing at all."""
    stderr = io.StringIO()

    with Progress(stderr, lambda: 0, is_shown=False) as progress:
        progress.received += 1

    assert stderr.getvalue() == ""


def test_a_terminal_that_has_gone() -> None:
    """A terminal that can't be written to ends the drawing, not the call."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError("Input/output error")

    with Progress(Gone(), lambda: 0, is_shown=True) as progress:
        progress.received += 1

    assert progress.received == 1
