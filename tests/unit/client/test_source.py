"""The pieces of a body."""

from __future__ import annotations

import gzip
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from wasm_grpc.client.messages import CHUNK_BYTES
from wasm_grpc.client.source import Source

LINE = b"0123456789abcdef" * 4


@pytest.fixture
def pipe() -> Iterator[tuple[io.BufferedReader, io.FileIO]]:
    """Return both ends of a pipe."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "wb", buffering=0) as writer:
        yield reader, writer


def descriptors() -> set[str]:
    """Name the descriptors that are open."""
    return {path.name for path in Path("/proc/self/fd").iterdir() if path.exists()}


def stopped_in_time(source: Source, reading: threading.Thread) -> bool:
    """Stop a source, and say whether the thread that iterates over it ends."""
    source.stop()
    reading.join(5)
    return not reading.is_alive()


class Slowly:
    """A file whose reads give a few bytes each, as `read1`, where `read` would wait for more."""

    def __init__(self) -> None:
        self.parts = [b"a", b"b", b""]

    def read1(self, size: int) -> bytes:
        """Return the next bytes."""
        assert size == CHUNK_BYTES
        return self.parts.pop(0)

    def read(self, size: int) -> bytes:
        """Never used."""
        raise AssertionError("read waits for all of it")


class Unbuffered:
    """A file that has `read` alone."""

    def __init__(self, part: object) -> None:
        self.parts = [part, b""]

    def read(self, size: int) -> object:
        """Return the next bytes, or what else there is."""
        return self.parts.pop(0)


@pytest.mark.parametrize(
    ("body", "pieces"),
    [
        (b"", [b""]),
        (b"ab", [b"ab"]),
        (bytearray(b"ab"), [bytearray(b"ab")]),
        ([b"a", b"", b"b"], [b"a", b"", b"b"]),
        (iter([b"a"]), [b"a"]),
        (io.BytesIO(b"ab"), [b"ab"]),
        (io.BytesIO(b"a" * CHUNK_BYTES + b"b"), [b"a" * CHUNK_BYTES, b"b"]),
        (gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(b"ab"))), [b"ab"]),
        (Slowly(), [b"a", b"b"]),
        (Unbuffered(b"ab"), [b"ab"]),
    ],
    ids=[
        "empty",
        "bytes",
        "array",
        "list",
        "iterator",
        "memory",
        "large",
        "unpacked",
        "read1",
        "read",
    ],
)
def test_pieces(body: object, pieces: list[bytes]) -> None:
    """Bytes come at once, files at most 1 MiB at a time, whatever an iterable gives as it is."""
    assert list(Source(body)) == pieces


@pytest.mark.parametrize("buffering", [0, -1], ids=["raw", "buffered"])
def test_a_file(tmp_path: Path, buffering: int) -> None:
    """A file is read from where it stands, and stays open."""
    (tmp_path / "file").write_bytes(LINE * 3)
    with (tmp_path / "file").open("rb", buffering=buffering) as file:
        file.read(len(LINE))

        pieces = list(Source(file))

        assert b"".join(pieces) == LINE * 2
        assert not file.closed


def test_a_pipe_is_read_as_it_comes(pipe: tuple[io.BufferedReader, io.FileIO]) -> None:
    """What somebody has written is there before they write more."""
    reader, writer = pipe
    pieces = iter(Source(reader))
    writer.write(b"a")

    first = next(pieces)
    writer.write(b"b")
    second = next(pieces)
    writer.close()

    assert (first, second, list(pieces)) == (b"a", b"b", [])


def test_what_a_pipes_reader_holds_comes_first(pipe: tuple[io.BufferedReader, io.FileIO]) -> None:
    """What its buffer has taken ahead doesn't wait for more; the pipe blocks as before."""
    reader, writer = pipe
    writer.write(b"header\nrest")
    assert reader.readline() == b"header\n"

    piece = next(iter(Source(reader)))

    assert piece == b"rest"
    assert os.get_blocking(reader.fileno())


def test_a_pipe_that_does_not_block(pipe: tuple[io.BufferedReader, io.FileIO]) -> None:
    """Nothing there now is no end."""
    reader, writer = pipe
    os.set_blocking(reader.fileno(), False)
    given: list[object] = []
    reading = threading.Thread(target=lambda: given.extend(Source(reader)))
    reading.start()

    writer.write(b"a")
    writer.close()
    reading.join(5)

    assert given == [b"a"]
    assert not os.get_blocking(reader.fileno())


def test_a_pipe_that_somebody_else_reads(pipe: tuple[io.BufferedReader, io.FileIO]) -> None:
    """Where another reader of a pipe was faster, the next bytes are waited for."""

    class Raced(io.FileIO):
        results: ClassVar[list[bytes | None]] = [None, b"a", b""]

        def read(self, size: int | None = -1, /) -> bytes:
            return self.results.pop(0)  # type: ignore[return-value] # typeshed leaves None out

    reader, writer = pipe
    writer.write(b"a")
    with Raced(reader.fileno(), closefd=False) as file:
        assert list(Source(file)) == [b"a"]


@pytest.mark.parametrize("is_raw", [False, True], ids=["buffered", "raw"])
def test_stop_ends_the_wait_for_a_pipe(pipe: tuple[io.BufferedReader, io.FileIO], is_raw: bool) -> None:  # noqa: FBT001
    """A source that waits for bytes that never come ends when nobody wants them."""
    reader, writer = pipe
    source = Source(reader.raw if is_raw else reader)
    pieces = iter(source)
    writer.write(b"a")
    assert next(pieces) == b"a"
    reading = threading.Thread(target=lambda: list(pieces), daemon=True)
    reading.start()

    has_stopped = stopped_in_time(source, reading)

    assert has_stopped
    writer.write(b"b")
    assert reader.read1() == b"b"


def test_stop_before_the_first_piece(pipe: tuple[io.BufferedReader, io.FileIO]) -> None:
    """A source that was stopped takes nothing more, from what kind of body ever."""
    for body in (pipe[0], [b"a"], io.BytesIO(b"a"), b"a"):
        source = Source(body)
        source.stop()
        source.stop()

        assert list(source) == []


def test_no_descriptor_is_left(pipe: tuple[io.BufferedReader, io.FileIO]) -> None:
    """What waiting takes is given back at the end, also where the iteration is given up."""
    reader, writer = pipe
    before = descriptors()
    for _ in range(3):
        writer.write(b"a")
        source = Source(reader)
        pieces = iter(source)
        assert next(pieces) == b"a"
        writer.write(b"b")
        assert next(pieces) == b"b"
        del pieces

    assert descriptors() == before


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("text", "body: is str; expected bytes, a binary file or an iterable of bytes"),
        (None, "body: is NoneType; expected bytes, a binary file or an iterable of bytes"),
        (
            Path("file"),
            f"body: is {type(Path()).__name__}; expected bytes, a binary file or an iterable of bytes",
        ),
    ],
    ids=["text", "nothing", "path"],
)
def test_no_body(body: object, sentence: str) -> None:
    """What can't be sent is refused before anything is."""
    with pytest.raises(TypeError) as caught:
        Source(body)

    assert str(caught.value) == sentence
