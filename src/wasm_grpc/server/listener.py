"""The gRPC server's socket: bind, serve, drain."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc

from wasm_grpc.core.errors import HostError
from wasm_grpc.core.model import KIB, MIB
from wasm_grpc.server.address import check_address

__all__ = ["drain", "listen", "new_server"]

_INTERNET = (socket.AF_INET, socket.AF_INET6)
_ENVELOPE_BYTES = MIB
"""Room in a message besides the body: method, metadata, protobuf's framing."""
_WINDOW_BYTES = MIB
"""How much a caller may send ahead on one stream; the same is buffered of its output."""
_METADATA_BYTES = 64 * KIB
"""daprd forwards HTTP headers as metadata, and browsers' cookies can exceed gRPC's default of 8 KiB."""

_STREAMS = 4096
"""Concurrent calls of one connection."""
_CONNECTIONS = 1024
"""Connections, if there are descriptors for twice as many."""
_HANDSHAKE_MS = 10_000
"""The longest that a connection may take to begin with HTTP/2; gRPC's default is 120 s."""
_IDLE_MS = 600_000
"""A connection without a call is closed after this time."""


def new_server(*, body_limit: int) -> grpc.aio.Server:
    """
    Return a server that accepts bodies of up to `body_limit` bytes.
    """
    return grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", body_limit + _ENVELOPE_BYTES),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", _METADATA_BYTES),
            ("grpc.absolute_max_metadata_size", 2 * _METADATA_BYTES),
            # Otherwise gRPC grows the window with the measured bandwidth, on a busy machine beyond 64 MiB.
            # All of that would be buffered here for a guest that doesn't read.
            ("grpc.http2.bdp_probe", 0),
            ("grpc.http2.lookahead_bytes", _WINDOW_BYTES),
            # A caller without the token keeps no stream, but may open many at once. daprd opens up to 2,048.
            ("grpc.max_concurrent_streams", _STREAMS),
            # The rest of the descriptors is for workers, which must be replaced whoever calls.
            ("grpc.max_allowed_incoming_connections", _connections()),
            ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
            # daprd closes connections that are idle for 3 minutes itself.
            ("grpc.max_connection_idle_ms", _IDLE_MS),
            # With SO_REUSEPORT two servers could listen on one port. Calls would reach either at random,
            # and no error would tell.
            ("grpc.so_reuseport", 0),
        )
    )


@contextlib.asynccontextmanager
async def listen(server: grpc.aio.Server, host: str, port: int) -> AsyncIterator[str]:
    """
    Serve on an address, and yield it as ``host:port``. Calls that still run at the end are cancelled.

    Raises:
        PortInUseError: The port is taken.
        ConfigError: The host is not an address of this machine.
        HostError: Listening fails for another reason.
    """
    await asyncio.to_thread(check_address, host, port)
    address = f"[{host}]" if ":" in host else host
    try:
        bound = server.add_insecure_port(f"{address}:{port}")
    except RuntimeError as exc:
        raise HostError(
            f"{address}:{port}: listening failed; expected an address and port that this user may use"
        ) from exc
    await server.start()
    try:
        yield f"{address}:{bound}"
    finally:
        await asyncio.to_thread(_disconnect, bound)
        await server.stop(None)


def _connections() -> int:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _CONNECTIONS if descriptors == resource.RLIM_INFINITY else min(_CONNECTIONS, descriptors // 2)


def _disconnect(port: int) -> None:
    """
    Stop listening on a port of this process, and end the connections to it.

    A stopping gRPC server answers CANCELLED to a call that arrives, as if the caller itself had cancelled.
    A closed connection gives UNAVAILABLE instead, which clients retry. gRPC has no API to close connections,
    so this finds the sockets among the process's descriptors. Without Linux's ``/proc`` it does nothing.
    """
    found: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        for descriptor in _descriptors():
            candidate = _socket_of(descriptor)
            if candidate is not None:
                stack.enter_context(candidate)
                with contextlib.suppress(OSError):
                    if candidate.family in _INTERNET and candidate.getsockname()[1] == port:
                        found.append(candidate)
        # The listening socket first, so that no new connection is accepted after the others have ended.
        for each in sorted(found, key=_listens, reverse=True):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _socket_of(descriptor: int) -> socket.socket | None:
    """
    Return a copy of a descriptor that is a socket. A copy of any other would keep open what others close.
    """
    try:
        copy = os.dup(descriptor)
    except OSError:
        return None
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        return None


def _listens(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _descriptors() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - names, not paths
    except OSError:
        return []


async def drain(wait_idle: Callable[[], Awaitable[None]], *, seconds: float, force: asyncio.Event) -> None:
    """
    Wait until nothing runs and every response is sent, for at most `seconds` or until `force` is set.

    The server keeps listening meanwhile, so that new callers get UNAVAILABLE.

    Args:
        wait_idle: Waits until nothing runs and every response is sent.
        seconds: The longest wait.
        force: Ends the wait early.
    """
    waits = [asyncio.create_task(asyncio.wait_for(wait_idle(), seconds)), asyncio.create_task(force.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
