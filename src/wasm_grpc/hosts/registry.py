"""All host modules, and all functions that guests may import."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from wasm_grpc.engines.protocol import HostModules
from wasm_grpc.hosts.bindgen import calls as bindgen_calls
from wasm_grpc.hosts.bindgen.module import Bindgen
from wasm_grpc.hosts.dapr.module import DaprAsFiles
from wasm_grpc.hosts.image.module import WasmedgeImage
from wasm_grpc.hosts.nn.module import WasiNn
from wasm_grpc.hosts.protocol import HostModule
from wasm_grpc.hosts.tensorflowlite.module import TensorflowLite
from wasm_grpc.hosts.wapc.module import GUEST_FUNCTIONS, Wapc
from wasm_grpc.hosts.wasi import preview1, unstable
from wasm_grpc.inference.models import Models
from wasm_grpc.inference.registry import open_backend

__all__ = ["BINDGEN_FUNCTIONS", "FUNCTIONS", "HOST_MODULES", "WAPC_FUNCTIONS", "open_host_modules"]


class _InferenceModule(HostModule, Protocol):
    def __init__(self, models: Models) -> None: ...


_FOR_INFERENCE: Final[tuple[type[_InferenceModule], ...]] = (WasiNn, TensorflowLite)
_OTHERS: Final[tuple[type[HostModule], ...]] = (WasmedgeImage, Wapc, Bindgen, DaprAsFiles)

HOST_MODULES: Final[tuple[type[HostModule], ...]] = (*_FOR_INFERENCE, *_OTHERS)
"""All of them besides WASI."""


def open_host_modules() -> Sequence[HostModule]:
    """
    Return the host modules of one process. Those for inference share its models.
    """
    models = Models(open_backend)
    return [*(module(models) for module in _FOR_INFERENCE), *(module() for module in _OTHERS)]


FUNCTIONS: Final[HostModules] = {
    **preview1.FUNCTIONS,
    **unstable.FUNCTIONS,
    **{name: function for module in HOST_MODULES for name, function in module.functions.items()},
}
"""What every guest may import. The functions need a `WasiContext`."""

WAPC_FUNCTIONS: Final[HostModules] = {**FUNCTIONS, **GUEST_FUNCTIONS}
"""What a waPC guest may import."""

BINDGEN_FUNCTIONS: Final[HostModules] = {**FUNCTIONS, **bindgen_calls.FUNCTIONS}
"""What a wasmedge-bindgen guest may import."""
