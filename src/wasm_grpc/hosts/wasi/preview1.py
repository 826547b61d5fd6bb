"""The table of all functions of ``wasi_snapshot_preview1``."""

from __future__ import annotations

from typing import Final

from wasm_grpc.engines.protocol import HostModules
from wasm_grpc.hosts.wasi import clocks, fds, files, opening, paths, program, sockets, transfer

__all__ = ["FUNCTIONS", "MODULE"]

MODULE: Final = "wasi_snapshot_preview1"

FUNCTIONS: Final[HostModules] = {
    (MODULE, name): function
    for group in (transfer, fds, files, paths, opening, sockets, clocks, program)
    for name, function in group.FUNCTIONS.items()
}
"""The functions need a `WasiContext`."""
