"""
The CGI environment of an invocation: what a guest learns of the request or the event beside its data.

Keys of metadata become names of variables, in which "-", "_" and "." are one character. Of a request, keys
with "_" or "." have no variable, as in Apache and nginx: a caller could say under ``x_forwarded_for`` what
only the sidecar may say under ``x-forwarded-for``. Of an event they have one, since brokers use such keys
(Kafka's ``__key``), but never that of another key.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from functools import lru_cache

from wasm_grpc import __version__
from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.metadata import is_key, separator
from wasm_grpc.core.model import Reason
from wasm_grpc.invocation.cloud_event import Trace
from wasm_grpc.invocation.event import Event

__all__ = ["Metadata", "event_environment", "request_environment", "trace_of"]

Metadata = Iterable[tuple[str, str | bytes]]

_WITHHELD = frozenset({"dapr-api-token", "content-type", "content-length", "proxy", "te", "dapr-proxy"})
"""The server's own token; what has variables of its own; what libraries would take for the name of
a proxy (``HTTP_PROXY``, the httpoxy advisory of 2016); gRPC's own."""
_STAMPED = frozenset({"dapr-caller-app-id", "dapr-caller-namespace", "dapr-callee-app-id"})
"""What daprd says of a call. It leaves what a caller has said there beside it, in either order (1.18.2)."""
_TRACE_KEYS = frozenset({"traceparent", "tracestate"})
"""W3C Trace Context."""
_GATEWAY = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SERVER_SOFTWARE": f"wasm-grpc/{__version__}",
    # What daprd's own callers speak; of the version nothing reaches an app.
    "SERVER_PROTOCOL": "HTTP/1.1",
    # The caller is the sidecar, on this machine; HTTP_X_FORWARDED_FOR may say for whom it calls.
    "REMOTE_ADDR": "127.0.0.1",
}
"""What RFC 3875, 4.1 demands beside the request's own, and is the same for all."""
_USER_AGENT = "HTTP_USER_AGENT"
_OWN_AGENT = re.compile(r"(?<!\S)grpc-\S+/")
"""How begins what gRPC's libraries write behind the word of the program that uses them, if it has one
(``PROTOCOL-HTTP2.md``, "User Agents"). Of a call through daprd that is daprd's own: it drops the client's."""
_HOST = re.compile(r"(?P<name>[0-9A-Za-z._~-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_DEFAULT_HOST = "localhost"
_DEFAULT_PORT = "80"
_HTTP_HEADERS = frozenset(
    {
        "accept",
        "accept-charset",
        "accept-language",
        "accept-ranges",
        "cache-control",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "expect",
        "from",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-schedule-tag-match",
        "if-unmodified-since",
        "max-forwards",
        "origin",
        "pragma",
        "referer",
        "via",
        "warning",
    }
)
"""Headers that daprd hands on as ``dapr-<name>`` (``isPermanentHTTPHeader`` in its ``pkg/messaging/v1``)."""


def request_environment(
    *,
    verb: str,
    query: str,
    content_type: str,
    content_length: int | None,
    path_info: str,
    metadata: Metadata,
    withheld: Container[str] = (),
    is_cgi: bool = False,
    script_name: str = "",
) -> tuple[tuple[str, str], ...]:
    """
    Return the variables of RFC 3875 (CGI) that a request has.

    Args:
        verb: HTTP verb; empty counts as POST.
        query: Query string, raw.
        content_type: Of the body; may be empty.
        content_length: Of the body, in bytes; None where it is not known yet.
        path_info: What follows the matched prefix of the method, or "".
        metadata: The call's metadata, keys in lower case. Binary values (``-bin``) have no place
            in an environment and are left out.
        withheld: Names that the function's manifest sets itself.
        is_cgi: The response is read as CGI: the guest gets all variables that the standard demands.
        script_name: What was called, without `path_info` and with its leading "/".

    Raises:
        InvocationError: INVALID_REQUEST, a caller gives itself another's name.
    """
    env = {
        "REQUEST_METHOD": verb or "POST",
        "QUERY_STRING": query,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(content_length),
        "PATH_INFO": path_info,
    }
    if content_length is None:
        del env["CONTENT_LENGTH"]
    for key, value in metadata:
        if "_" in key or "." in key or not isinstance(value, str) or not (name := _variable(key)):
            continue
        if name in env and key in _STAMPED:
            raise InvocationError(
                Reason.INVALID_REQUEST, f"metadata {key}: came twice; expected the sidecar's word on it alone"
            )
        _add(env, name, value)
    if is_cgi:
        env |= _GATEWAY | {"SCRIPT_NAME": script_name} | _server(env.get("HTTP_HOST", ""))
    return _pairs(env, withheld)


def event_environment(
    event: Event, metadata: Metadata, *, withheld: Container[str] = (), is_cgi: bool = False
) -> tuple[tuple[str, str], ...]:
    """
    Return the variables of an event: CloudEvents' attributes as ``CE_*``, and those of a POST of its data.

    Args:
        event: What was delivered; attributes that it has not are left out.
        metadata: The call's metadata, in which daprd hands on the broker's.
        withheld: Names that the function's manifest sets itself.
        is_cgi: The response is read as CGI.
    """
    env = {
        "REQUEST_METHOD": "POST",
        "QUERY_STRING": "",
        "CONTENT_TYPE": event.content_type,
        "CONTENT_LENGTH": str(len(event.data)),
        "PATH_INFO": "",
    }
    attributes = {
        "CE_ID": event.id,
        "CE_SOURCE": event.source,
        "CE_TYPE": event.type,
        "CE_SPECVERSION": event.spec_version,
    }
    env |= {name: value for name, value in attributes.items() if value}
    for key, value in event.extensions:
        # daprd has some of every event, empty where it knows nothing.
        if value and (name := _attribute(key)):
            env.setdefault(name, value)
    headers: dict[str, str] = {}
    others: dict[str, str] = {}
    for key, text in metadata:
        if isinstance(text, str) and (name := _variable(key)):
            _add(others if "_" in key or "." in key else headers, name, text)
    env |= others | headers
    if is_cgi:
        env |= _GATEWAY | {"SCRIPT_NAME": ""} | _server("")
    return _pairs(env, withheld)


def trace_of(metadata: Metadata) -> Trace:
    """
    Return the trace that a call belongs to.
    """
    found = {key: value for key, value in metadata if key in _TRACE_KEYS and isinstance(value, str)}
    return Trace(parent=found.get("traceparent", ""), state=found.get("tracestate", ""))


def _add(env: dict[str, str], name: str, value: str) -> None:
    if name == _USER_AGENT and (match := _OWN_AGENT.search(value)):
        # Cut here and not by the pattern, which would try each blank of a long run as the first one.
        value = value[: match.start()].rstrip()
        if not value:
            return
    if name in env:
        value = f"{env[name]}{separator(name.removeprefix('HTTP_').lower())}{value}"
    env[name] = value


def _pairs(env: dict[str, str], withheld: Container[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _without_nul(value)) for name, value in env.items() if name not in withheld)


def _server(host: str) -> dict[str, str]:
    """
    Return the server's name and port, as the client has named them in the header ``Host``.
    """
    match = _HOST.fullmatch(host)
    name, port = (match["name"], match["port"]) if match else (_DEFAULT_HOST, None)
    return {"SERVER_NAME": name, "SERVER_PORT": port or _DEFAULT_PORT}


@lru_cache(maxsize=1024)
def _variable(key: str) -> str:
    """
    Return the variable of a metadata key, or "" if it has none.
    """
    if not is_key(key):
        return ""
    canonical = key.replace("_", "-").replace(".", "-")
    stripped = canonical.removeprefix("dapr-")
    name = stripped if stripped in _HTTP_HEADERS else canonical
    if name in _WITHHELD or name.startswith((":", "grpc-")) or name.endswith("-bin"):
        return ""
    return "HTTP_" + name.upper().replace("-", "_")


@lru_cache(maxsize=1024)
def _attribute(key: str) -> str:
    """
    Return the variable of an extension attribute, or "" if it has none.

    CloudEvents' names are lower-case letters and digits (1.0.2, 3.1); daprd hands on any.
    """
    return f"CE_{key.upper()}" if key.isascii() and key.replace("_", "").isalnum() else ""


def _without_nul(value: str) -> str:
    return value.replace("\0", "") if "\0" in value else value
