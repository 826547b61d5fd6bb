"""Frames: the reader restores what was packed, and refuses everything else."""

from __future__ import annotations

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.model import MIB
from wasm_grpc.core.wire import (
    HEAD_LIMIT_BYTES,
    Frame,
    FrameReader,
    Invoke,
    Kind,
    encode,
    pack,
)

FRAMES = st.lists(
    st.builds(Frame, st.sampled_from(Kind), st.binary(max_size=40), st.binary(max_size=60)), max_size=5
)


def packed(frame: Frame) -> bytes:
    """Return a frame's bytes."""
    return b"".join(pack(frame.kind, frame.head, frame.body))


@given(frames=FRAMES, cuts=st.lists(st.integers(min_value=0, max_value=500)))
def test_frames_may_arrive_in_any_pieces(frames: list[Frame], cuts: list[int]) -> None:
    """A reader restores the frames that were packed, wherever their bytes are split."""
    stream = b"".join(map(packed, frames))
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = FrameReader(body_limit=MIB)

    found = [frame for start, end in itertools.pairwise(places) for frame in reader.feed(stream[start:end])]

    assert found == frames


def test_every_split_of_two_frames() -> None:
    """Two frames are restored at every split into two pieces, and byte by byte."""
    frames = [Frame(Kind.INVOKE, b"head", b"body"), Frame(Kind.RESULT, b"", b"")]
    stream = b"".join(map(packed, frames))
    splits = [[stream[:cut], stream[cut:]] for cut in range(len(stream) + 1)]
    splits.append([stream[at : at + 1] for at in range(len(stream))])

    for pieces in splits:
        reader = FrameReader(body_limit=MIB)
        assert [frame for piece in pieces for frame in reader.feed(piece)] == frames


def test_a_caller_may_pause_between_frames() -> None:
    """A caller that takes one frame of a piece, and the others later, gets all of them."""
    frames = [Frame(Kind.LOAD, b"%d" % number, b"") for number in range(3)]
    feeding = FrameReader(body_limit=MIB).feed(b"".join(map(packed, frames)))

    assert [next(feeding), *feeding] == frames


def test_a_piece_may_be_overwritten() -> None:
    """A reader copies what it keeps of a piece, so the next piece may use the same memory."""
    frames = [Frame(Kind.OUTPUT, b"", bytes([number]) * 300) for number in range(9)]
    stream = b"".join(map(packed, frames))
    reader = FrameReader(body_limit=MIB)
    memory = bytearray(100)
    found: list[Frame] = []

    for at in range(0, len(stream), len(memory)):
        piece = stream[at : at + len(memory)]
        memory[: len(piece)] = piece
        found += reader.feed(memoryview(memory)[: len(piece)])

    assert found == frames


def test_a_large_body_is_not_copied() -> None:
    """A large body is a piece of its own: the same object that the message has."""
    body = bytes(MIB)

    pieces = encode(Invoke(0, b"", body))

    assert len(pieces) == 2
    assert pieces[1] is body


HOSTILE = {
    "kind 0": ((0, 0, 0), "frame: unknown kind 0; expected 1 to 28"),
    "kind 255": ((255, 0, 0), "frame: unknown kind 255; expected 1 to 28"),
    "kind over 16 bits": (
        (Kind.RESULT | 1 << 16, 0, 0),
        "frame: unknown kind 65550; expected 1 to 28",
    ),
    "head over its limit": (
        (Kind.RESULT, HEAD_LIMIT_BYTES + 1, 0),
        "RESULT frame: head of 4194305 bytes; expected at most 4194304",
    ),
    "body over its limit": (
        (Kind.RESULT, 0, 101),
        "RESULT frame: body of 101 bytes; expected at most 100",
    ),
    "body of 2^64-1": (
        (Kind.RESULT, 0, 2**64 - 1),
        "RESULT frame: body of 18446744073709551615 bytes; expected at most 100",
    ),
}


@pytest.mark.parametrize(("header", "problem"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_header_is_refused(header: tuple[int, int, int], problem: str) -> None:
    """A header that the format does not allow is refused before any memory is allocated for its frame."""
    with pytest.raises(ProtocolError) as caught:
        list(FrameReader(body_limit=100).feed(struct.pack("<IIQ", *header)))

    assert str(caught.value) == problem


def test_a_body_of_exactly_the_limit_is_accepted() -> None:
    """Only a longer body is refused."""
    frame = Frame(Kind.RESULT, b"", bytes(100))

    assert list(FrameReader(body_limit=100).feed(packed(frame))) == [frame]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(stream: bytes) -> None:
    """For any bytes, a reader yields frames within the limit or raises ProtocolError, and nothing else."""
    try:
        frames = list(FrameReader(body_limit=100).feed(stream))
    except ProtocolError:
        return
    assert all(len(frame.body) <= 100 for frame in frames)
