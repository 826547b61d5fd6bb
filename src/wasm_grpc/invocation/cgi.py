"""
Parse a CGI response: a guest's standard output, header lines first, then the body.

Source: RFC 3875 (The Common Gateway Interface 1.1), section 6. Does no I/O.
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
"""Limit on all header lines together: half of the metadata that gRPC peers accept by default (8 KiB)."""

_NAME = re.compile(rb"[0-9A-Za-z_.-]+")
"""Valid gRPC metadata key, once in lower case. RFC 9110 allows more characters in a header name."""
_VALUE = re.compile(rb"[ -~]*")
_STATUS = re.compile(r"([2-5][0-9]{2})(?: +(.*))?")
_MEDIA_TYPE = re.compile(r"[^\s/;,]+/[^\s/;,]+ *(?:;.*)?")

_OWN_FIELDS = frozenset({"content-type", "status", "location"})
"""The CGI headers of RFC 3875, 6.3: each at most once, and at least one of them."""

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
"""Headers about the connection, not the response. They are dropped, as RFC 3875, 6.3.4 allows."""

_RESERVED_PREFIXES = ("grpc-", "dapr-", "wasm-grpc-")
_RESERVED_NAMES = frozenset({"user-agent"})


class CgiError(ValueError):
    """
    Standard output is not a CGI response. The message says what is wrong and what was expected.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class CgiResponse:
    """
    A guest's response.

    Attributes:
        status: HTTP status, 200 to 599. Defaults to 200, or 302 with a ``Location``.
        phrase: Reason phrase: the guest's, else the standard one, else "".
        content_type: Media type of the body; "" if the guest gives none.
        headers: The other headers in the order written, names in lower case.
        body: Everything after the header lines.
    """

    status: int
    phrase: str
    content_type: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def is_success(self) -> bool:
        """
        Whether the status is 2xx (RFC 9110, 15.3).
        """
        return 200 <= self.status < 300


def has_cgi_head(output: bytes) -> bool:
    """
    Return whether the output so far holds all header lines, or too many of them.

    Either way `parse_cgi_response` can now parse or reject it.
    """
    begin = 0
    for end in _line_ends(output):
        if not output[begin:end].removesuffix(b"\r"):
            return True
        begin = end + 1
    return len(output) >= _HEADERS_LIMIT_BYTES


def parse_cgi_response(output: bytes) -> CgiResponse:
    """
    Parse a guest's whole standard output. Lines end with LF or CRLF.

    Raises:
        CgiError: It is not a CGI response.
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
    Return the lines before the first empty one, and the offset of the body.
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
    raise CgiError("no empty line; expected one after the headers" if output else _empty_output())


def _line_ends(output: bytes) -> Iterator[int]:
    begin = 0
    while (end := output.find(b"\n", begin, _HEADERS_LIMIT_BYTES)) >= 0:
        yield end
        begin = end + 1


def _empty_output() -> str:
    return "standard output is empty; expected header lines such as 'Content-Type: text/plain'"


def _field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    shown = repr(line[:60].decode("ascii", "backslashreplace"))
    if not colon or not name:
        raise CgiError(f"line {shown} is not a header; expected 'Name: value', then an empty line")
    if not _NAME.fullmatch(name):
        raise CgiError(f"header {shown} has an invalid name; expected letters, digits, '-', '_' and '.'")
    value = value.strip(b" \t")
    if not _VALUE.fullmatch(value):
        raise CgiError(f"header {shown} has an invalid value; expected printable ASCII")
    key = name.decode("ascii").lower()
    if key.startswith(_RESERVED_PREFIXES) or key.endswith("-bin") or key in _RESERVED_NAMES:
        raise CgiError(f"header '{key}' is reserved; expected another name")
    return key, value.decode("ascii")


def _own_fields(fields: Sequence[tuple[str, str]]) -> dict[str, str]:
    own: dict[str, str] = {}
    for name, value in fields:
        if name not in _OWN_FIELDS:
            continue
        if name in own:
            raise CgiError(f"header '{name}' appears twice; expected it once")
        own[name] = value
    if not own:
        raise CgiError("no Content-Type, Status or Location; expected at least one of these headers")
    return own


def _status(own: dict[str, str]) -> tuple[int, str]:
    if "status" not in own:
        # RFC 3875, 6.2.3 and 6.2.4: a redirect may omit its status.
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
