"""The CGI environment of an invocation: what a guest learns of the request or the event beside its data."""

from __future__ import annotations

from collections.abc import Container, Iterable
from functools import lru_cache

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.dapr.envelope import Trace
from wasm_grpc.server.events import Event

__all__ = ["Metadata", "event_environment", "request_environment", "trace_of"]

Metadata = Iterable[tuple[str, str | bytes]]

_WITHHELD = frozenset({"dapr-api-token", "content-type", "content-length", "proxy", "te", "dapr-proxy"})
"""The server's own token; what has variables of its own; what libraries would take for the name of
a proxy (``HTTP_PROXY``, the httpoxy advisory of 2016); gRPC's own."""
_STAMPED = frozenset({"dapr-caller-app-id", "dapr-caller-namespace", "dapr-callee-app-id"})
"""What daprd says of a call. It leaves what a caller has said there beside it, in either order (1.18.2)."""
_TRACE_KEYS = frozenset({"traceparent", "tracestate"})
"""W3C Trace Context."""
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
) -> tuple[tuple[str, str], ...]:
    """
    Give the variables of RFC 3875 (CGI) that a request has.

    Args:
        verb: HTTP verb; empty counts as POST.
        query: Query string, raw.
        content_type: Of the body; may be empty.
        content_length: Of the body, in bytes; None where it is not known yet.
        path_info: What follows the matched prefix of the method, or "".
        metadata: The call's metadata, keys in lower case. Binary values (``-bin``) have no place
            in an environment and are left out.
        withheld: Names that the function's manifest sets itself.
        is_cgi: The response is read as CGI: the guest learns it from ``GATEWAY_INTERFACE``.

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
    return _environment(env, metadata, withheld, is_cgi=is_cgi)


def event_environment(
    event: Event, metadata: Metadata, *, withheld: Container[str] = (), is_cgi: bool = False
) -> tuple[tuple[str, str], ...]:
    """
    Give the variables of an event: CloudEvents' attributes as ``CE_*``, and those of a POST of its data.

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
    return _environment(env, metadata, withheld, is_cgi=is_cgi)


def trace_of(metadata: Metadata) -> Trace:
    """
    Give the trace that a call belongs to.
    """
    found = {key: value for key, value in metadata if key in _TRACE_KEYS and isinstance(value, str)}
    return Trace(parent=found.get("traceparent", ""), state=found.get("tracestate", ""))


def _environment(
    env: dict[str, str], metadata: Metadata, withheld: Container[str], *, is_cgi: bool
) -> tuple[tuple[str, str], ...]:
    if is_cgi:
        env["GATEWAY_INTERFACE"] = "CGI/1.1"
    for key, value in metadata:
        name = _variable(key)
        if not name or not isinstance(value, str):
            continue
        if name in env and key in _STAMPED:
            raise InvocationError(
                Reason.INVALID_REQUEST, f"metadata {key}: came twice; expected the sidecar's word on it alone"
            )
        env[name] = f"{env[name]}, {value}" if name in env else value
    return tuple((name, _without_nul(value)) for name, value in env.items() if name not in withheld)


@lru_cache(maxsize=1024)
def _variable(key: str) -> str:
    """
    Give the variable of a metadata key, or "" if it has none.
    """
    stripped = key.removeprefix("dapr-")
    name = stripped if stripped in _HTTP_HEADERS else key
    if name in _WITHHELD or name.startswith((":", "grpc-")) or name.endswith("-bin"):
        return ""
    return "HTTP_" + name.upper().replace("-", "_").replace(".", "_")


@lru_cache(maxsize=1024)
def _attribute(key: str) -> str:
    """
    Give the variable of an extension attribute, or "" if it has none.

    CloudEvents' names are lower-case letters and digits (1.0.2, 3.1); daprd hands on any.
    """
    return f"CE_{key.upper()}" if key.isascii() and key.replace("_", "").isalnum() else ""


def _without_nul(value: str) -> str:
    return value.replace("\0", "") if "\0" in value else value
