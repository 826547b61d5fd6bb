"""All host modules, and all functions that guests may import."""

from __future__ import annotations

from typing import Final

from wasm_grpc.engines.protocol import HostModules
from wasm_grpc.hosts.dapr.module import DaprAsFiles
from wasm_grpc.hosts.nn.module import WasiNn
from wasm_grpc.hosts.protocol import HostModule
from wasm_grpc.hosts.wapc.module import GUEST_FUNCTIONS, Wapc
from wasm_grpc.hosts.wasi import preview1, unstable

__all__ = ["FUNCTIONS", "HOST_MODULES", "WAPC_FUNCTIONS"]

HOST_MODULES: Final[tuple[type[HostModule], ...]] = (WasiNn, Wapc, DaprAsFiles)
"""All of them besides WASI. Each process makes one of each."""

FUNCTIONS: Final[HostModules] = {
    **preview1.FUNCTIONS,
    **unstable.FUNCTIONS,
    **{name: function for module in HOST_MODULES for name, function in module.functions.items()},
}
"""What every guest may import. The functions need a `WasiContext`."""

WAPC_FUNCTIONS: Final[HostModules] = {**FUNCTIONS, **GUEST_FUNCTIONS}
"""What a waPC guest may import."""
