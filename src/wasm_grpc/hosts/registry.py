"""All host modules, and all functions that a guest may import."""

from __future__ import annotations

from typing import Final

from wasm_grpc.engines.protocol import HostModules
from wasm_grpc.hosts.dapr.module import DaprAsFiles
from wasm_grpc.hosts.nn.module import WasiNn
from wasm_grpc.hosts.protocol import HostModule
from wasm_grpc.hosts.wasi import preview1, unstable

__all__ = ["FUNCTIONS", "HOST_MODULES"]

HOST_MODULES: Final[tuple[type[HostModule], ...]] = (WasiNn, DaprAsFiles)
"""All of them besides WASI. Each process makes one of each."""

FUNCTIONS: Final[HostModules] = {
    **preview1.FUNCTIONS,
    **unstable.FUNCTIONS,
    **{name: function for module in HOST_MODULES for name, function in module.functions.items()},
}
"""The functions need a `WasiContext`."""
