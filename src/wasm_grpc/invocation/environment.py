"""
The CGI environment of an invocation: everything the guest learns about the request or event but its data.

Metadata keys become variable names, in which "-", "_" and "." all become "_", so that two keys can collide.
In a request, keys with "_" or "." are dropped, as Apache and nginx do: a caller could otherwise send
``x_forwarded_for`` to forge the sidecar's ``x-forwarded-for``. In an event they are kept, since brokers use
such keys (Kafka's ``__key``), but they never override a key without them.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from functools import lru_cache

from wasm_grpc import __version__
from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.metadata import DEPTH_KEY, is_key, separator
from wasm_grpc.core.model import DEPTH_LIMIT, OUTER, Origin, Reason, Trace
from wasm_grpc.invocation.event import Event

__all__ = [
    "TRACE_KEYS",
    "Metadata",
    "binding_environment",
    "event_environment",
    "origin_of",
    "request_environment",
    "trace_of",
]

Metadata = Iterable[tuple[str, str | bytes]]

_WITHHELD = frozenset(
    {"dapr-api-token", "content-type", "content-length", "proxy", "te", "dapr-proxy", DEPTH_KEY}
)
"""Metadata that no guest sees: the server's token; keys that have variables of their own; ``proxy``, since
libraries read ``HTTP_PROXY`` as a setting (the httpoxy advisory of 2016); gRPC's own keys; the depth."""
_STAMPED = frozenset({"dapr-caller-app-id", "dapr-caller-namespace", "dapr-callee-app-id"})
"""Metadata that daprd adds to a call. It keeps a caller's value of the same key, in either order (1.18.2)."""
_DEPTH = re.compile(r"[0-9]{1,2}")
TRACE_KEYS = frozenset({"traceparent", "tracestate"})
"""W3C Trace Context."""
_GATEWAY = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SERVER_SOFTWARE": f"wasm-grpc/{__version__}",
    # Callers speak HTTP/1.1 to daprd, which doesn't tell an app the version.
    "SERVER_PROTOCOL": "HTTP/1.1",
    # The client is the sidecar, on this machine; HTTP_X_FORWARDED_FOR may name the original one.
    "REMOTE_ADDR": "127.0.0.1",
}
"""Variables that RFC 3875, 4.1 requires and that are the same for every request."""
_USER_AGENT = "HTTP_USER_AGENT"
_OWN_AGENT = re.compile(r"(?<!\S)grpc-\S+/")
"""Begins the part of a user agent that gRPC libraries append to the application's own, if it sets one
(``PROTOCOL-HTTP2.md``, "User Agents"). Behind daprd it describes daprd, which drops the client's."""
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
"""Headers that daprd forwards as ``dapr-<name>`` (``isPermanentHTTPHeader`` in its ``pkg/messaging/v1``)."""


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
    Return the CGI variables (RFC 3875) of a request.

    Args:
        verb: HTTP verb; empty counts as POST.
        query: Raw query string.
        content_type: Media type of the body; may be empty.
        content_length: Length of the body in bytes; None if it is not known yet.
        path_info: The method after the matched prefix, or "".
        metadata: The call's metadata, keys in lower case. Binary values (``-bin``) are left out,
            since an environment can't hold them.
        withheld: Names that the function's manifest sets itself; they are left out.
        is_cgi: Add every variable that the standard requires, for a function with a CGI response.
        script_name: The method without `path_info`, with its leading "/".

    Raises:
        InvocationError: INVALID_REQUEST if a caller forges metadata that only daprd may set.
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
        # Which of the two values is daprd's can't be told, so the call is refused.
        if name in env and key in _STAMPED:
            raise InvocationError(
                Reason.INVALID_REQUEST, f"metadata {key}: appears twice; expected only the sidecar's value"
            )
        _add(env, name, value)
    if is_cgi:
        env |= _GATEWAY | {"SCRIPT_NAME": script_name} | _server(env.get("HTTP_HOST", ""))
    return _pairs(env, withheld)


def event_environment(
    event: Event, metadata: Metadata, *, withheld: Container[str] = (), is_cgi: bool = False
) -> tuple[tuple[str, str], ...]:
    """
    Return the variables of an event: its attributes as ``CE_*``, and the CGI variables of a POST of its data.

    Args:
        event: The event; absent attributes get no variable.
        metadata: The call's metadata, including what daprd forwards from the broker.
        withheld: Names that the function's manifest sets itself; they are left out.
        is_cgi: Add every variable that the CGI standard requires.
    """
    attributes = {
        "CE_ID": event.id,
        "CE_SOURCE": event.source,
        "CE_TYPE": event.type,
        "CE_SPECVERSION": event.spec_version,
    }
    found = {name: value for name, value in attributes.items() if value}
    for key, value in event.extensions:
        # daprd sets some extensions on every event, empty if it has no value.
        if value and (name := _attribute(key)):
            found.setdefault(name, value)
    return _event_variables(
        found, event.content_type, len(event.data), metadata, withheld=withheld, is_cgi=is_cgi
    )


def binding_environment(
    name: str,
    *,
    content_type: str,
    content_length: int,
    metadata: Metadata,
    withheld: Container[str] = (),
    is_cgi: bool = False,
) -> tuple[tuple[str, str], ...]:
    """
    Return the variables of a binding's event: ``BINDING_NAME``, and the CGI variables of a POST of its data.

    Args:
        name: The binding.
        content_type: Media type of the data; may be empty.
        content_length: Length of the data in bytes.
        metadata: The call's metadata and the component's, keys in lower case.
        withheld: Names that the function's manifest sets itself; they are left out.
        is_cgi: Add every variable that the CGI standard requires.
    """
    return _event_variables(
        {"BINDING_NAME": name}, content_type, content_length, metadata, withheld=withheld, is_cgi=is_cgi
    )


def _event_variables(
    attributes: Mapping[str, str],
    content_type: str,
    content_length: int,
    metadata: Metadata,
    *,
    withheld: Container[str],
    is_cgi: bool,
) -> tuple[tuple[str, str], ...]:
    env = {
        "REQUEST_METHOD": "POST",
        "QUERY_STRING": "",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(content_length),
        "PATH_INFO": "",
        **attributes,
    }
    headers: dict[str, str] = {}
    others: dict[str, str] = {}
    for key, text in metadata:
        if isinstance(text, str) and (name := _variable(key)):
            _add(others if "_" in key or "." in key else headers, name, text)
    env |= others | headers
    if is_cgi:
        env |= _GATEWAY | {"SCRIPT_NAME": ""} | _server("")
    return _pairs(env, withheld)


def origin_of(metadata: Metadata, *, with_trace: bool) -> Origin:
    """
    Return where a call comes from.

    Args:
        metadata: The call's metadata.
        with_trace: Whether its trace is wanted too.
    """
    depth = 0
    for key, value in metadata:
        if key == DEPTH_KEY and isinstance(value, str) and _DEPTH.fullmatch(value):
            # Any caller can say so; at worst it gets the processes that are kept for the deepest.
            depth = min(int(value), DEPTH_LIMIT)
    if not depth and not with_trace:
        return OUTER
    return Origin(depth=depth, trace=trace_of(metadata) if with_trace else Trace())


def trace_of(metadata: Metadata) -> Trace:
    """
    Return the trace that a call belongs to.
    """
    found = {key: value for key, value in metadata if key in TRACE_KEYS and isinstance(value, str)}
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
    Return SERVER_NAME and SERVER_PORT from the request's ``Host`` header, as CGI requires.
    """
    match = _HOST.fullmatch(host)
    name, port = (match["name"], match["port"]) if match else (_DEFAULT_HOST, None)
    return {"SERVER_NAME": name, "SERVER_PORT": port or _DEFAULT_PORT}


# Cached, since calls repeat the same few keys. Bounded, since callers choose the keys.
@lru_cache(maxsize=1024)
def _variable(key: str) -> str:
    """
    Return the variable name of a metadata key, or "" if the key is withheld.
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
    Return the variable name of an extension attribute, or "" if the attribute can't have one.

    CloudEvents allows lower-case letters and digits only (1.0.2, 3.1), but daprd forwards any name.
    """
    return f"CE_{key.upper()}" if key.isascii() and key.replace("_", "").isalnum() else ""


def _without_nul(value: str) -> str:
    # WASI ends each variable with NUL.
    return value.replace("\0", "") if "\0" in value else value
