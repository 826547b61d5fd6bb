"""Whether a server can listen on an address, found out without gRPC."""

from __future__ import annotations

import errno
import socket

from wasm_grpc.core.errors import ConfigError, HostError, PortInUseError

__all__ = ["check_address"]


def check_address(host: str, port: int) -> None:
    """
    Bind an address and release it: gRPC's own error has no cause, and it prints to standard error.

    Raises:
        PortInUseError: The port is taken.
        ConfigError: The host is not an address of this machine.
        HostError: Listening fails for another reason.
    """
    try:
        family, kind, proto, _, sockaddr = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as exc:
        raise ConfigError(f"--host {host}: not an address; expected an address of this machine") from exc
    with socket.socket(family, kind, proto) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(sockaddr)
            # With SO_REUSEADDR binding succeeds although another socket listens; listening then fails.
            probe.listen(1)
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                raise PortInUseError(
                    f"port {port}: in use; expected a free one (--port, 0 takes any)"
                ) from exc
            if exc.errno == errno.EADDRNOTAVAIL:
                raise ConfigError(
                    f"--host {host}: not an address of this machine; expected one of its own"
                ) from exc
            raise HostError(
                f"{host}:{port}: {exc.strerror}; expected an address and port that this user may use"
            ) from exc
