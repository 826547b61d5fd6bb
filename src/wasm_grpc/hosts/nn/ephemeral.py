"""The whole of ``wasi_ephemeral_nn``, as the table of what a guest may import."""

from __future__ import annotations

from typing import Final

from wasm_grpc.engines.protocol import HostModules
from wasm_grpc.hosts.nn import execution, graphs

__all__ = ["FUNCTIONS", "MODULE"]

MODULE: Final = "wasi_ephemeral_nn"

FUNCTIONS: Final[HostModules] = {
    (MODULE, name): function for room in (graphs, execution) for name, function in room.FUNCTIONS.items()
}
"""Called with a context that has an `InferenceState`."""
