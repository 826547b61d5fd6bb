"""The messages that a client makes and reads."""

from __future__ import annotations

import array

import grpc
import pytest

from unit.client.fake_functions import chunk_of, header_of
from wasm_grpc.client import FunctionError, Header
from wasm_grpc.client.messages import CHUNK_BYTES, Answer, Metadata, Piece, cut, request_header
from wasm_grpc.v1.functions_pb2 import InvokeResponse

HEADER = Header(content_type="text/plain", metadata={"x-a": "1"}, invocation_id="7f")


@pytest.mark.parametrize(
    ("piece", "chunks"),
    [
        (b"", []),
        (bytearray(), []),
        (b"a", [b"a"]),
        (bytearray(b"ab"), [b"ab"]),
        (memoryview(b"abcd")[1:3], [b"bc"]),
        (memoryview(b"abcd")[::2], [b"ac"]),
        (memoryview(array.array("H", [0x6261, 0x6463])), [b"abcd"]),
        (b"a" * CHUNK_BYTES, [b"a" * CHUNK_BYTES]),
        (b"a" * CHUNK_BYTES + b"b", [b"a" * CHUNK_BYTES, b"b"]),
        (bytearray(b"a" * 2 * CHUNK_BYTES + b"b"), [b"a" * CHUNK_BYTES, b"a" * CHUNK_BYTES, b"b"]),
    ],
    ids=[
        "empty",
        "empty array",
        "bytes",
        "array",
        "view",
        "apart",
        "numbers",
        "just one",
        "one more",
        "three",
    ],
)
def test_a_piece_is_cut(piece: Piece, chunks: list[bytes]) -> None:
    """A piece of any size makes chunks of at most 1 MiB, and an empty one makes none."""
    assert [request.chunk for request in cut(piece)] == chunks


@pytest.mark.parametrize(
    ("metadata", "sent"),
    [
        ((), {}),
        ({"X-A": "1"}, {"x-a": "1"}),
        ([("x-a", "1"), ("X-A", "2"), ("b", "é")], {"x-a": "1, 2", "b": "é"}),
    ],
    ids=["none", "map", "pairs"],
)
def test_a_header_is_made(metadata: Metadata, sent: dict[str, str]) -> None:
    """Metadata is sent in lower case, a name that is there twice as one list."""
    request = request_header("m", verb="PUT", query="a=1", content_type="t/p", metadata=metadata)

    header = request.header
    assert (header.method, header.verb, header.query, header.content_type) == ("m", "PUT", "a=1", "t/p")
    assert dict(header.metadata) == sent


def test_an_answer_is_read() -> None:
    """The header is kept, and each chunk given."""
    answer = Answer()

    parts = [answer.take(each) for each in (header_of(**{"x-a": "1"}), chunk_of(b"a"), chunk_of(b""))]
    answer.end()

    assert (answer.header, parts) == (HEADER, [b"", b"a", b""])


def read_all(responses: list[InvokeResponse]) -> None:
    """Read an answer to its end."""
    answer = Answer()
    for response in responses:
        answer.take(response)
    answer.end()


@pytest.mark.parametrize(
    ("responses", "sentence", "invocation_id"),
    [
        ([], "the server sent no header; expected one before the end", ""),
        ([chunk_of(b"a")], "the server sent a chunk before its header; expected the header first", ""),
        (
            [header_of(), chunk_of(b"a"), header_of()],
            "the server sent a second header; expected chunks after the first",
            "7f",
        ),
        (
            [InvokeResponse()],
            "the server sent a message with neither a header nor a chunk; expected one of them",
            "",
        ),
    ],
    ids=["nothing", "no header", "two headers", "neither"],
)
def test_a_server_breaks_the_protocol(
    responses: list[InvokeResponse], sentence: str, invocation_id: str
) -> None:
    """What isn't one header and then chunks is an error that says what was expected."""
    with pytest.raises(FunctionError) as caught:
        read_all(responses)

    error = caught.value
    assert (error.code, str(error)) == (grpc.StatusCode.INTERNAL, sentence)
    assert (error.message, error.invocation_id) == (sentence, invocation_id)
