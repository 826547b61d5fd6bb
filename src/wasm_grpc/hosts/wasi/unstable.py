"""
The table of all functions of ``wasi_unstable``, preview 1's predecessor, used by toolchains until 2019.

It differs from preview 1 in the order of ``whence``, the 32 bits for a file's links, and the identifier of
a clock in a subscription. Source: the ``snapshot_0`` of WASI's repository beside its ``snapshot_1``.
"""

from __future__ import annotations

from typing import Final

from wasm_grpc.engines.protocol import HostFunction, HostModules
from wasm_grpc.hosts.wasi import preview1
from wasm_grpc.hosts.wasi.abi import FILESTAT_UNSTABLE, WHENCE_CUR, WHENCE_END, WHENCE_SET
from wasm_grpc.hosts.wasi.calls import declare
from wasm_grpc.hosts.wasi.clocks import poll_oneoff_unstable
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.fds import fd_filestat
from wasm_grpc.hosts.wasi.files import fd_seek
from wasm_grpc.hosts.wasi.paths import path_filestat

__all__ = ["FUNCTIONS", "MODULE"]

MODULE: Final = "wasi_unstable"

_WHENCES: Final = (WHENCE_CUR, WHENCE_END, WHENCE_SET)
"""The values of preview 1, indexed by those of ``wasi_unstable``."""


def _fd_seek(context: WasiContext, fd: int, delta: int, whence: int, offset_at: int) -> None:
    # An invalid value stays invalid.
    fd_seek(context, fd, delta, _WHENCES[whence] if whence < len(_WHENCES) else whence, offset_at)


def _fd_filestat_get(context: WasiContext, fd: int, stat_at: int) -> None:
    FILESTAT_UNSTABLE.pack_into(context.memory(), stat_at, *fd_filestat(context, fd))


def _path_filestat_get(
    context: WasiContext, fd: int, lookup: int, at: int, length: int, stat_at: int
) -> None:
    FILESTAT_UNSTABLE.pack_into(context.memory(), stat_at, *path_filestat(context, fd, lookup, at, length))


_DIFFERENT: Final[dict[str, HostFunction]] = {
    "fd_filestat_get": declare("ii", _fd_filestat_get),
    "fd_seek": declare("iIii", _fd_seek),
    "path_filestat_get": declare("iiiii", _path_filestat_get),
    "poll_oneoff": declare("iiii", poll_oneoff_unstable),
}

FUNCTIONS: Final[HostModules] = {
    (MODULE, name): _DIFFERENT.get(name, function) for (_, name), function in preview1.FUNCTIONS.items()
}
"""The functions need a `WasiContext`."""
