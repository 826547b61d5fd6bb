"""The gRPC server's socket: bind, serve, drain."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc

from wasm_grpc.core.errors import ConfigError, HostError, PortInUseError
from wasm_grpc.core.model import KIB, MIB

__all__ = ["check_address", "drain", "listen", "new_server"]

_INTERNET = (socket.AF_INET, socket.AF_INET6)
_ENVELOPE_BYTES = MIB
"""What a message may hold beside its body: method, metadata, protobuf's framing."""
_WINDOW_BYTES = MIB
"""What a caller may send ahead on one stream, as much as is held of its output."""
_METADATA_BYTES = 64 * KIB
"""daprd forwards HTTP headers as metadata; browsers' cookies pass gRPC's default of 8 KiB."""


def new_server(*, body_limit: int) -> grpc.aio.Server:
    """
    Return a server whose messages may hold a body of `body_limit` bytes.
    """
    return grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", body_limit + _ENVELOPE_BYTES),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", _METADATA_BYTES),
            ("grpc.absolute_max_metadata_size", 2 * _METADATA_BYTES),
            # Else the window grows with what was measured of the link, on a busy machine over 64 MiB:
            # so much would then lie here for a guest that doesn't read.
            ("grpc.http2.bdp_probe", 0),
            ("grpc.http2.lookahead_bytes", _WINDOW_BYTES),
            # Two servers on one port would share its calls by chance, and no error would say so.
            ("grpc.so_reuseport", 0),
        )
    )


@contextlib.asynccontextmanager
async def listen(server: grpc.aio.Server, host: str, port: int) -> AsyncIterator[str]:
    """
    Serve on an address; gives it as ``host:port``. At the end calls that still run are cancelled.

    Raises:
        PortInUseError: The port is taken.
        ConfigError: The host is no address of this machine.
        HostError: It can't be listened on for another reason.
    """
    await asyncio.to_thread(check_address, host, port)
    address = f"[{host}]" if ":" in host else host
    try:
        bound = server.add_insecure_port(f"{address}:{port}")
    except RuntimeError as exc:
        raise HostError(f"{address}:{port}: can't be listened on") from exc
    await server.start()
    try:
        yield f"{address}:{bound}"
    finally:
        _disconnect(bound)
        await server.stop(None)


def _disconnect(port: int) -> None:
    """
    End the connections to a port of this process, and listen there no more.

    gRPC tells CANCELLED to a call that arrives while it stops, which a caller takes for its own doing. A
    connection that ends is UNAVAILABLE. gRPC has no way to end one, so this goes by the descriptors of the
    process; where there is no Linux to list them, it leaves them to gRPC.
    """
    found: list[socket.socket] = []
    with contextlib.ExitStack() as stack:
        for descriptor in _descriptors():
            with contextlib.suppress(OSError):
                candidate = stack.enter_context(socket.socket(fileno=os.dup(descriptor)))
                if candidate.family in _INTERNET and candidate.getsockname()[1] == port:
                    found.append(candidate)
        # First what listens, so that no connection is accepted after the others have ended.
        for each in sorted(found, key=_listens, reverse=True):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _listens(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _descriptors() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208 - names, not paths
    except OSError:
        return []


async def drain(wait_idle: Callable[[], Awaitable[None]], *, seconds: float, force: asyncio.Event) -> None:
    """
    Wait until nothing runs and every answer is sent, but not longer than `seconds`, nor once `force` is set.

    The server listens meanwhile: a caller that comes is to be told UNAVAILABLE.

    Args:
        wait_idle: Waits until nothing runs and every answer is sent.
        seconds: The longest wait.
        force: Ends it.
    """
    waits = [asyncio.create_task(asyncio.wait_for(wait_idle(), seconds)), asyncio.create_task(force.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def check_address(host: str, port: int) -> None:
    """
    Bind and let go: gRPC's own failure has no reason in it, and prints to standard error.

    Raises:
        PortInUseError, ConfigError, HostError: As `listen` does.
    """
    try:
        family, kind, proto, _, sockaddr = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as exc:
        raise ConfigError(f"--host {host}: not an address; expected one of this machine's") from exc
    with socket.socket(family, kind, proto) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(sockaddr)
            # Binding succeeds beside a listener where addresses are reused; listening does not.
            probe.listen(1)
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                raise PortInUseError(
                    f"port {port}: in use; expected a free one (--port, 0 takes any)"
                ) from exc
            if exc.errno == errno.EADDRNOTAVAIL:
                raise ConfigError(f"--host {host}: not an address of this machine") from exc
            raise HostError(f"{host}:{port}: can't be listened on: {exc.strerror}") from exc
