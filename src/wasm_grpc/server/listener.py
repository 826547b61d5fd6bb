"""The gRPC server's socket: bind, serve, drain."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc

from wasm_grpc.core.errors import ConfigError, HostError, PortInUseError
from wasm_grpc.core.model import KIB, MIB

__all__ = ["check_address", "drain", "listen", "new_server"]

_ENVELOPE_BYTES = MIB
"""What a message may hold beside its body: method, metadata, protobuf's framing."""
_WINDOW_BYTES = MIB
"""What a caller may send ahead on one stream, as much as is held of its output."""
_METADATA_BYTES = 64 * KIB
"""daprd forwards HTTP headers as metadata; browsers' cookies pass gRPC's default of 8 KiB."""


def new_server(*, body_limit: int) -> grpc.aio.Server:
    """
    Give a server whose messages may hold a body of `body_limit` bytes.
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
        await server.stop(None)


async def drain(
    server: grpc.aio.Server, wait_idle: Callable[[], Awaitable[None]], *, seconds: float, hurry: asyncio.Event
) -> None:
    """
    Wait until nothing runs and every answer is sent, but not longer than `seconds`, nor once `hurry` is set.

    Args:
        server: Listens until nothing runs: gRPC cancels a call that it finds while it stops listening,
            and a caller is to be told UNAVAILABLE.
        wait_idle: Waits until nothing runs.
        seconds: The longest wait.
        hurry: Ends it.
    """

    async def stop() -> None:
        await wait_idle()
        await server.stop(seconds)

    waits = [asyncio.create_task(asyncio.wait_for(stop(), seconds)), asyncio.create_task(hurry.wait())]
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
