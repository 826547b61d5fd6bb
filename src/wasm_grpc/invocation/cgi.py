"""
A CGI response taken apart: the header lines of a guest's standard output, then the body.

Source: RFC 3875 (The Common Gateway Interface 1.1), section 6. Pure: text in, values or a sentence out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

__all__ = ["CgiError", "CgiResponse", "has_cgi_head", "parse_cgi_response"]

_OK = 200
_FOUND = 302

_HEADERS_LIMIT_BYTES = 4096
"""Of the header lines together: half of the metadata that gRPC peers take by default (8 KiB)."""

_NAME = re.compile(rb"[0-9A-Za-z_.-]+")
"""What gRPC takes as a key of metadata, once in lower case: less than RFC 9110 takes as a name."""
_VALUE = re.compile(rb"[ -~]*")
_STATUS = re.compile(r"([2-5][0-9]{2})(?: +(.*))?")
_MEDIA_TYPE = re.compile(r"[^\s/;,]+/[^\s/;,]+ *(?:;.*)?")

_OWN_FIELDS = frozenset({"content-type", "status", "location"})
"""RFC 3875, 6.3: each at most once, and at least one of them."""

_CONNECTION_FIELDS = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Of the connection, not of the response, so they are dropped, as RFC 3875, 6.3.4 allows."""

_RESERVED_PREFIXES = ("grpc-", "dapr-", "wasm-grpc-")
_RESERVED_NAMES = frozenset({"user-agent"})


class CgiError(ValueError):
    """
    Standard output is no CGI response; says what is wrong and what was expected.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class CgiResponse:
    """
    What a guest answered.

    Attributes:
        status: HTTP status, 200 to 599; 200 where the guest names none.
        phrase: Its reason phrase: the guest's, else the standard's, else "".
        content_type: Of the body; "" where the guest names none.
        headers: The other headers in their order, names in lower case.
        body: What follows the header lines.
    """

    status: int
    phrase: str
    content_type: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def is_success(self) -> bool:
        """
        Whether its status is one of success (RFC 9110, 15.3).
        """
        return 200 <= self.status < 300


def has_cgi_head(output: bytes) -> bool:
    """
    Whether the beginning of an output is enough for `parse_cgi_response` to say what it is.
    """
    begin = 0
    for end in _line_ends(output):
        if not output[begin:end].removesuffix(b"\r"):
            return True
        begin = end + 1
    return len(output) >= _HEADERS_LIMIT_BYTES


def parse_cgi_response(output: bytes) -> CgiResponse:
    """
    Take a guest's whole standard output apart. Lines end with LF or CRLF.

    Raises:
        CgiError: It is no CGI response.
    """
    lines, end = _header_lines(output)
    fields = [_field(line) for line in lines]
    own = _own_fields(fields)
    status, phrase = _status(own)
    headers = [field for field in fields if field[0] not in _OWN_FIELDS | _CONNECTION_FIELDS]
    if "location" in own:
        headers.append(("location", own["location"]))
    return CgiResponse(
        status=status,
        phrase=phrase,
        content_type=_content_type(own),
        headers=tuple(headers),
        body=output[end:],
    )


def _header_lines(output: bytes) -> tuple[list[bytes], int]:
    """
    Return the lines up to the first empty one, and where the body begins.
    """
    lines: list[bytes] = []
    begin = 0
    for end in _line_ends(output):
        line = output[begin:end].removesuffix(b"\r")
        begin = end + 1
        if not line:
            return lines, begin
        lines.append(line)
    if len(output) > _HEADERS_LIMIT_BYTES:
        raise CgiError(
            f"no empty line in the first {_HEADERS_LIMIT_BYTES} bytes; expected one after the headers"
        )
    raise CgiError("no empty line; expected one after the headers" if output else _nothing())


def _line_ends(output: bytes) -> Iterator[int]:
    begin = 0
    while (end := output.find(b"\n", begin, _HEADERS_LIMIT_BYTES)) >= 0:
        yield end
        begin = end + 1


def _nothing() -> str:
    return "nothing on standard output; expected header lines such as 'Content-Type: text/plain'"


def _field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    shown = repr(line[:60].decode("ascii", "backslashreplace"))
    if not colon or not name:
        raise CgiError(f"line {shown} is no header; expected 'Name: value', then an empty line")
    if not _NAME.fullmatch(name):
        raise CgiError(
            f"header {shown} has a name that can't be sent; expected letters, digits, '-', '_' and '.'"
        )
    value = value.strip(b" \t")
    if not _VALUE.fullmatch(value):
        raise CgiError(f"header {shown} has a value that can't be sent; expected printable ASCII")
    key = name.decode("ascii").lower()
    if key.startswith(_RESERVED_PREFIXES) or key.endswith("-bin") or key in _RESERVED_NAMES:
        raise CgiError(f"header '{key}' is reserved; expected one of the function's own")
    return key, value.decode("ascii")


def _own_fields(fields: Sequence[tuple[str, str]]) -> dict[str, str]:
    own: dict[str, str] = {}
    for name, value in fields:
        if name not in _OWN_FIELDS:
            continue
        if name in own:
            raise CgiError(f"header '{name}' stands there twice; expected it once")
        own[name] = value
    if not own:
        raise CgiError("no Content-Type, Status or Location; expected at least one of these headers")
    return own


def _status(own: dict[str, str]) -> tuple[int, str]:
    if "status" not in own:
        # RFC 3875, 6.2.3 and 6.2.4: a redirection may leave out its status.
        status = _FOUND if "location" in own else _OK
        return status, HTTPStatus(status).phrase
    match = _STATUS.fullmatch(own["status"])
    if match is None:
        raise CgiError(f"Status is {own['status'][:60]!r}; expected 200 to 599, such as '404 Not Found'")
    status = int(match[1])
    return status, match[2] or next((each.phrase for each in HTTPStatus if each.value == status), "")


def _content_type(own: dict[str, str]) -> str:
    content_type = own.get("content-type", "")
    if "content-type" in own and not _MEDIA_TYPE.fullmatch(content_type):
        raise CgiError(f"Content-Type is {content_type[:60]!r}; expected a media type such as 'text/plain'")
    return content_type
