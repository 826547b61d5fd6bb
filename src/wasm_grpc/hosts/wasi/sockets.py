"""``sock_*``: all fail, since no descriptor is a socket."""

from __future__ import annotations

from typing import Final

from wasm_grpc.hosts.wasi.abi import ENOTSOCK
from wasm_grpc.hosts.wasi.calls import declare, refuse

__all__ = ["FUNCTIONS"]

FUNCTIONS: Final = {
    "sock_accept": declare("iii", refuse(ENOTSOCK)),
    "sock_recv": declare("iiiiii", refuse(ENOTSOCK)),
    "sock_send": declare("iiiii", refuse(ENOTSOCK)),
    "sock_shutdown": declare("ii", refuse(ENOTSOCK)),
}
