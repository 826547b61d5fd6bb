"""A guest's standard output, read as a CGI response."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm_grpc.invocation.cgi import CgiError, CgiResponse, parse_cgi_response


def response(
    status: int = 200,
    phrase: str = "OK",
    *,
    content_type: str = "",
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
) -> CgiResponse:
    """Return a response with what a case leaves out."""
    return CgiResponse(status=status, phrase=phrase, content_type=content_type, headers=headers, body=body)


RIGHT: dict[str, tuple[bytes, CgiResponse]] = {
    "LF": (b"Content-Type: text/plain\n\nhi\n", response(content_type="text/plain", body=b"hi\n")),
    "CRLF": (b"Content-Type: text/plain\r\n\r\nhi", response(content_type="text/plain", body=b"hi")),
    "mixed": (b"Status: 200\r\nX-A: 1\n\r\n\n", response(headers=(("x-a", "1"),), body=b"\n")),
    "parameters": (
        b"content-type:text/html; charset=utf-8\n\n",
        response(content_type="text/html; charset=utf-8"),
    ),
    "status": (b"Status: 404 Not here\n\n", response(404, "Not here")),
    "status alone": (b"Status: 503\n\n", response(503, "Service Unavailable")),
    "unknown status": (b"Status: 499\n\n", response(499, "")),
    "redirection": (b"Location: /a\n\n", response(302, "Found", headers=(("location", "/a"),))),
    "created": (
        b"Location: /a\nStatus: 201 Created\n\n",
        response(201, "Created", headers=(("location", "/a"),)),
    ),
    "repeated": (
        b"Status: 200\nSet-Cookie: a=1\nSet-Cookie: b=2\n\n",
        response(headers=(("set-cookie", "a=1"), ("set-cookie", "b=2"))),
    ),
    "of the connection": (
        b"Status: 200\nContent-Length: 99\nConnection: close\nTransfer-Encoding: chunked\n\nhi",
        response(body=b"hi"),
    ),
    "blanks": (
        b"Status:\t200 OK \nX-A:  b c \nX-Empty:\n\n",
        response(headers=(("x-a", "b c"), ("x-empty", ""))),
    ),
    "body with headers": (b"Status: 200\n\nStatus: 404\n\n", response(body=b"Status: 404\n\n")),
    "most": (
        b"Status: 200\nX: " + b"x" * (4096 - 17) + b"\n\n" + bytes(5000),
        response(headers=(("x", "x" * (4096 - 17)),), body=bytes(5000)),
    ),
}


@pytest.mark.parametrize(("output", "expected"), RIGHT.values(), ids=RIGHT)
def test_a_response_is_taken_apart(output: bytes, expected: CgiResponse) -> None:
    """Status, content type, other headers and body are told apart."""
    assert parse_cgi_response(output) == expected


WRONG: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "standard output is empty; expected header lines such as 'Content-Type: text/plain'"),
    "no end": (b"Status: 200\n", "no empty line; expected one after the headers"),
    "no header": (b"\nhi", "no Content-Type, Status or Location; expected at least one of these headers"),
    "no own header": (
        b"X-A: 1\n\n",
        "no Content-Type, Status or Location; expected at least one of these headers",
    ),
    "no colon": (b"hello\n\n", "line 'hello' is not a header; expected 'Name: value', then an empty line"),
    "no name": (b": a\n\n", "line ': a' is not a header; expected 'Name: value', then an empty line"),
    "a picture": (
        b"\x89PNG\r\n\x1a\n\n",
        r"line '\\x89PNG' is not a header; expected 'Name: value', then an empty line",
    ),
    "name": (
        b"X A: 1\n\n",
        "header 'X A: 1' has an invalid name; expected letters, digits, '-', '_' and '.'",
    ),
    "folded": (
        b"Status: 200\n a: b\n\n",
        "header ' a: b' has an invalid name; expected letters, digits, '-', '_' and '.'",
    ),
    "value": (
        b"X-A: \xc3\xa4\n\n",
        r"header 'X-A: \\xc3\\xa4' has an invalid value; expected printable ASCII",
    ),
    "return": (
        b"X-A: a\rb\n\n",
        r"header 'X-A: a\rb' has an invalid value; expected printable ASCII",
    ),
    "twice": (b"Status: 200\nstatus: 404\n\n", "header 'status' appears twice; expected it once"),
    "status": (b"Status: fine\n\n", "Status is 'fine'; expected 200 to 599, such as '404 Not Found'"),
    "interim status": (b"Status: 100\n\n", "Status is '100'; expected 200 to 599, such as '404 Not Found'"),
    "high status": (b"Status: 600\n\n", "Status is '600'; expected 200 to 599, such as '404 Not Found'"),
    "content type": (
        b"Content-Type: text\n\n",
        "Content-Type is 'text'; expected a media type such as 'text/plain'",
    ),
    "grpc": (b"grpc-status: 0\n\n", "header 'grpc-status' is reserved; expected another name"),
    "dapr": (
        b"Dapr-Api-Token: x\n\n",
        "header 'dapr-api-token' is reserved; expected another name",
    ),
    "ours": (
        b"Wasm-Grpc-Invocation-Id: x\n\n",
        "header 'wasm-grpc-invocation-id' is reserved; expected another name",
    ),
    "binary": (b"X-Bin: x\n\n", "header 'x-bin' is reserved; expected another name"),
    "too long": (
        b"Status: 200\nX: " + b"x" * (4096 - 16) + b"\n\n",
        "no empty line in the first 4096 bytes; expected one after the headers",
    ),
    "endless": (bytes(10_000), "no empty line in the first 4096 bytes; expected one after the headers"),
}


@pytest.mark.parametrize(("output", "problem"), WRONG.values(), ids=WRONG)
def test_what_is_no_response(output: bytes, problem: str) -> None:
    """What is no CGI response says what is wrong and what was expected."""
    with pytest.raises(CgiError) as caught:
        parse_cgi_response(output)

    assert str(caught.value) == problem


_names = st.from_regex(r"[Xx]-[A-Za-z0-9_.-]{0,12}[a-z]", fullmatch=True).filter(
    lambda name: not name.lower().endswith("-bin")
)
_values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40).map(str.strip)


@given(
    status=st.integers(200, 599),
    headers=st.lists(st.tuples(_names, _values), max_size=8),
    body=st.binary(max_size=200),
    ends=st.lists(st.sampled_from([b"\n", b"\r\n"]), min_size=10, max_size=10),
)
def test_what_is_written_is_read(
    status: int, headers: list[tuple[str, str]], body: bytes, ends: list[bytes]
) -> None:
    """Whatever headers and body are written, with either line end, are read back; names in lower case."""
    lines = [f"Status: {status}", *(f"{name}: {value}" for name, value in headers), ""]
    output = b"".join(line.encode() + end for line, end in zip(lines, ends, strict=False)) + body

    found = parse_cgi_response(output)

    assert found.status == status
    assert found.headers == tuple((name.lower(), value) for name, value in headers)
    assert found.body == body


_TOKENS = [
    b"Status: 200",
    b"Content-Type: a/b",
    b"X: y",
    b"\n",
    b"\r",
    b":",
    b" ",
    b"\0",
    b"\xff",
    b"grpc-x: 1",
]


@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(_TOKENS), max_size=12).map(b"".join)))
def test_any_output_is_read_or_refused(output: bytes) -> None:
    """Any bytes are a response whose headers gRPC can send, or a sentence of one printable line."""
    found, problem = None, "; expected "
    try:
        found = parse_cgi_response(output)
    except CgiError as exc:
        problem = str(exc)

    assert problem.isprintable()
    assert "; expected " in problem
    assert found is None or output.endswith(found.body)
    for name, value in found.headers if found else ():
        assert name == name.lower()
        assert (name + value).isascii()
        assert (name + value).isprintable()
        assert not name.startswith(("grpc-", "dapr-"))
