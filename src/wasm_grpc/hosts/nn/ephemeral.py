"""The table of all functions of ``wasi_ephemeral_nn``."""

from __future__ import annotations

from typing import Final

from wasm_grpc.engines.protocol import HostModules
from wasm_grpc.hosts.nn import execution, graphs

__all__ = ["FUNCTIONS", "MODULE"]

MODULE: Final = "wasi_ephemeral_nn"

FUNCTIONS: Final[HostModules] = {
    (MODULE, name): function for group in (graphs, execution) for name, function in group.FUNCTIONS.items()
}
"""The functions need a `HostContext` that has an `InferenceState`."""
