"""Checks of what the server reads: each takes any bytes, and raises an error that it may not only for a bug."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

from dapr.proto.runtime.v1 import appcallback_pb2 as pb
from google.protobuf.message import DecodeError

from wasm_grpc.core.errors import InvocationError, ProtocolError
from wasm_grpc.core.model import MIB, DaprGrants
from wasm_grpc.core.wire import FrameReader, decode, encode_env
from wasm_grpc.dapr.events import bulk_events, topic_event
from wasm_grpc.dapr.guest_messages import read_request
from wasm_grpc.dapr.guest_methods import METHODS, InvalidRequestError
from wasm_grpc.invocation.cgi import CgiError, has_cgi_head, parse_cgi_response
from wasm_grpc.invocation.environment import event_environment, request_environment
from wasm_grpc.manifest.document import DocumentReader
from wasm_grpc.manifest.layout import MANIFEST_NAME
from wasm_grpc.manifest.templates import Result, TemplateError, fill, template_fault

__all__ = [
    "Manifests",
    "check_dapr_call",
    "check_event",
    "check_frames",
    "check_headers",
    "check_response",
    "check_template",
]

_MEMORY = "/dev/shm"  # noqa: S108 - a folder of our own in it
_NO_GRANTS = DaprGrants()
_OWN = ("HTTP_DAPR_API_TOKEN", "HTTP_PROXY")
"""Variables that no caller may set."""


class Manifests:
    """Check manifests, in a folder of its own."""

    def __init__(self) -> None:
        self._reader = DocumentReader()
        # In memory where it can be: it is written 10,000 times.
        self._folder = tempfile.TemporaryDirectory(dir=_MEMORY if Path(_MEMORY).is_dir() else None)

    def check(self, content: bytes) -> None:
        """Read a manifest: it is valid, or each problem has one printable line."""
        folder = Path(self._folder.name)
        (folder / MANIFEST_NAME).write_bytes(content)
        document = self._reader.read(folder)
        assert (document.manifest is None) == bool(document.problems)
        assert all(problem.isprintable() for problem in document.problems), document.problems


def check_frames(content: bytes) -> None:
    """Read frames as messages."""
    with contextlib.suppress(ProtocolError):
        for frame in FrameReader(body_limit=MIB).feed(content):
            decode(frame)


def check_response(content: bytes) -> None:
    """Read what a guest wrote as a CGI response: its headers are fit for gRPC."""
    has_cgi_head(content)
    try:
        response = parse_cgi_response(content)
    except CgiError as error:
        _check_line(str(error))
        return
    assert 200 <= response.status <= 599
    for name, value in response.headers:
        assert name.isascii()
        assert name == name.lower()
        assert value.isascii()
        assert value.isprintable()
        assert not name.startswith(("grpc-", "dapr-", "wasm-grpc-"))


def check_headers(content: bytes) -> None:
    """Make a guest's environment of lines ``key: value``, as metadata of a call."""
    metadata = []
    for line in content.decode("latin-1").split("\n"):
        key, _, value = line.partition(":")
        metadata.append((key.lower(), value if "-bin" not in key else value.encode()))
    try:
        variables = request_environment(
            verb=metadata[0][0],
            query=metadata[0][0],
            content_type=str(metadata[-1][1]),
            content_length=len(content),
            path_info=metadata[-1][0],
            metadata=metadata,
            is_cgi=len(metadata) % 2 == 0,
        )
    except InvocationError as error:
        _check_line(str(error))
        return
    _check_variables(variables)
    assert not {name for name, _ in variables} & set(_OWN)


def check_event(content: bytes) -> None:
    """Make a guest's environment of a message of daprd's, alone and as one of a batch."""
    with contextlib.suppress(DecodeError):
        _check_variables(event_environment(topic_event(pb.TopicEventRequest.FromString(content)), ()))
    with contextlib.suppress(DecodeError):
        for event in bulk_events(pb.TopicEventBulkRequest.FromString(content)):
            _check_variables(event_environment(event, event.metadata, is_cgi=True))


def check_template(content: bytes) -> None:
    """Fill a template with a result, which follows it after a NUL."""
    template, _, result = content.partition(b"\0")
    text = template.decode("utf-8", "replace")
    if template_fault(text) is None:
        with contextlib.suppress(TemplateError):
            assert isinstance(fill(text, {"id": "1", "name": "f"}, Result(result)), str)


def check_dapr_call(content: bytes) -> None:
    """Read a guest's request to one of Dapr's methods, and ask for the grants that it needs."""
    method = tuple(METHODS.values())[sum(content) % len(METHODS)]
    for is_json in (True, False):
        with contextlib.suppress(InvalidRequestError):
            method.denial(read_request(method, content, is_json=is_json), _NO_GRANTS)


def _check_line(message: str) -> None:
    assert message.isprintable(), message


def _check_variables(variables: Iterable[tuple[str, str]]) -> None:
    pairs = tuple(variables)
    encoded = encode_env(pairs)
    assert encoded.count(b"\0") == len(pairs)
    for name, _ in pairs:
        assert name.isascii()
        assert name.isprintable()
        assert "=" not in name
