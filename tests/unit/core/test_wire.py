"""Frames: what is packed comes out again however it is cut, and nothing else gets through."""

from __future__ import annotations

import itertools
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.model import MIB, Outcome, Reason
from wasm_grpc.core.wire import (
    HEAD_LIMIT_BYTES,
    Frame,
    FrameReader,
    InvokeHead,
    Kind,
    Pieces,
    encode_env,
    pack,
    pack_invoke,
    pack_json,
    pack_result,
    unpack_invoke,
    unpack_json,
    unpack_result,
)

FRAMES = st.lists(
    st.builds(Frame, st.sampled_from(Kind), st.binary(max_size=40), st.binary(max_size=60)), max_size=5
)
OUTCOMES = st.builds(
    Outcome,
    reason=st.sampled_from(Reason),
    body=st.binary(max_size=100),
    message=st.text(max_size=50),
    stderr=st.binary(max_size=50),
    exit_code=st.integers(min_value=0, max_value=2**32 - 1),
    memory_bytes=st.integers(min_value=0, max_value=2**64 - 1),
    limit=st.sampled_from(["", "limits.timeout", "limits.memory"]),
)


def packed(frame: Frame) -> bytes:
    """Return a frame's bytes."""
    return b"".join(pack(frame.kind, frame.head, frame.body))


def one_frame(pieces: Pieces) -> Frame:
    """Read what was packed."""
    (frame,) = FrameReader(body_limit=MIB).feed(b"".join(pieces))
    return frame


@given(frames=FRAMES, cuts=st.lists(st.integers(min_value=0, max_value=500)))
def test_frames_come_out_however_they_are_cut(frames: list[Frame], cuts: list[int]) -> None:
    """A reader gives the frames that were packed, whatever pieces their bytes arrive in."""
    stream = b"".join(map(packed, frames))
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = FrameReader(body_limit=MIB)

    found = [frame for start, end in itertools.pairwise(places) for frame in reader.feed(stream[start:end])]

    assert found == frames


def test_every_split_of_two_frames() -> None:
    """Two frames come out wherever the first piece ends, and byte by byte."""
    frames = [Frame(Kind.INVOKE, b"head", b"body"), Frame(Kind.RESULT, b"", b"")]
    stream = b"".join(map(packed, frames))
    splits = [[stream[:cut], stream[cut:]] for cut in range(len(stream) + 1)]
    splits.append([stream[at : at + 1] for at in range(len(stream))])

    for pieces in splits:
        reader = FrameReader(body_limit=MIB)
        assert [frame for piece in pieces for frame in reader.feed(piece)] == frames


def test_a_reader_may_stop_between_frames() -> None:
    """A caller that takes one frame of a piece and goes on later misses none."""
    frames = [Frame(Kind.LOAD, b"%d" % number, b"") for number in range(3)]
    feeding = FrameReader(body_limit=MIB).feed(b"".join(map(packed, frames)))

    assert [next(feeding), *feeding] == frames


def test_a_piece_may_be_overwritten() -> None:
    """What a reader keeps of a piece is its own: the next one may come in the same memory."""
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
    """A large body is a piece of its own, the very object that was given."""
    body = bytes(MIB)

    pieces = pack_invoke(0, b"", body)

    assert len(pieces) == 2
    assert pieces[1] is body


HOSTILE = {
    "kind 0": struct.pack("<BBHIQ", 0, 0, 0, 0, 0),
    "kind 255": struct.pack("<BBHIQ", 255, 0, 0, 0, 0),
    "reserved bytes": struct.pack("<BBHIQ", Kind.RESULT, 0, 1, 0, 0),
    "head over its limit": struct.pack("<BBHIQ", Kind.RESULT, 0, 0, HEAD_LIMIT_BYTES + 1, 0),
    "body over its limit": struct.pack("<BBHIQ", Kind.RESULT, 0, 0, 0, 101),
    "body of 2^64-1": struct.pack("<BBHIQ", Kind.RESULT, 0, 0, 0, 2**64 - 1),
}


@pytest.mark.parametrize("header", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_header_is_refused(header: bytes) -> None:
    """A header that the format does not allow is refused before anything is kept for it."""
    with pytest.raises(ProtocolError):
        list(FrameReader(body_limit=100).feed(header))


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    """The limit itself is allowed."""
    frame = Frame(Kind.RESULT, b"", bytes(100))

    assert list(FrameReader(body_limit=100).feed(packed(frame))) == [frame]


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_an_error(stream: bytes) -> None:
    """Whatever a peer sends, a reader gives frames or raises ProtocolError."""
    try:
        frames = list(FrameReader(body_limit=100).feed(stream))
    except ProtocolError:
        return
    assert all(len(frame.body) <= 100 for frame in frames)


@given(outcome=OUTCOMES, is_tainted=st.booleans())
def test_an_outcome_comes_out_as_it_went_in(outcome: Outcome, *, is_tainted: bool) -> None:
    """A RESULT frame keeps every field of an outcome."""
    frame = one_frame(pack_result(outcome, is_tainted=is_tainted))

    assert unpack_result(frame) == (outcome, is_tainted)


def test_a_message_that_is_no_text_is_made_one() -> None:
    """A message with a lone surrogate, which UTF-8 has no bytes for, still goes through."""
    outcome = Outcome(reason=Reason.TRAPPED, message="a\ud800b")

    found, _ = unpack_result(one_frame(pack_result(outcome)))

    assert found == replace(outcome, message="a?b")


@given(st.binary(max_size=60))
def test_any_result_head_is_an_outcome_or_an_error(head: bytes) -> None:
    """Whatever a RESULT's head is, it is read or refused with ProtocolError."""
    try:
        outcome, _ = unpack_result(Frame(Kind.RESULT, head, b""))
    except ProtocolError:
        return
    assert outcome.reason in Reason


@pytest.mark.parametrize(
    "head",
    [b"", b"{", b"[]", b"1", b"\xff", b"[" * 100_000],
    ids=["empty", "cut", "array", "number", "no text", "deep"],
)
def test_a_control_head_that_is_no_object_is_refused(head: bytes) -> None:
    """A control frame's head is a JSON object or an error, however deep it is nested."""
    with pytest.raises(ProtocolError, match="LOADED frame: head is not"):
        unpack_json(Frame(Kind.LOADED, head, b""))


def test_a_control_frame_comes_out_as_it_went_in() -> None:
    """A control frame keeps its object and its body."""
    frame = one_frame(pack_json(Kind.LOAD, {"index": 3, "name": "é"}, b"module"))

    assert (unpack_json(frame), frame.body) == ({"index": 3, "name": "é"}, b"module")


@pytest.mark.parametrize("streams", [False, True])
def test_an_invocation_comes_out_as_it_went_in(*, streams: bool) -> None:
    """An INVOKE frame keeps the function's index, the environment and the body."""
    env = encode_env((("A", "1"), ("B", "é")))

    frame = one_frame(pack_invoke(7, env, b"body", streams=streams, follows_log=not streams))

    assert unpack_invoke(frame) == InvokeHead(7, streams, not streams, b"A=1\0B=\xc3\xa9\0")
    assert frame.body == b"body"
