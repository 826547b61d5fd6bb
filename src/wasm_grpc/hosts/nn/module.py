"""wasi-nn as a `HostModule`: models loaded once for all functions of a process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from wasm_grpc.core.model import Grants
from wasm_grpc.engines.protocol import HostModules
from wasm_grpc.hosts.nn import ephemeral
from wasm_grpc.hosts.nn.state import InferenceGrants, InferenceState
from wasm_grpc.hosts.protocol import Begin
from wasm_grpc.inference.models import Models
from wasm_grpc.inference.registry import open_backend

__all__ = ["WasiNn"]


class WasiNn:
    """
    A `HostModule`: inference with the models that a function was granted, or brings.
    """

    __slots__ = ("_models",)

    functions: ClassVar[HostModules] = ephemeral.FUNCTIONS
    state: ClassVar[type] = InferenceState

    def __init__(self) -> None:
        self._models = Models(open_backend)

    def open(self, grants: Grants) -> Begin:
        """
        See `HostModule.open`.

        Raises:
            InferenceUnavailableError: The function may run models, and there is no inference backend.
            ModelError: A model has changed since the server checked it, or can't be opened.
        """
        granted = grants.inference
        if not granted.is_granted:
            return InferenceGrants().begin
        # Opened now, so that the first call of a guest that brings its own model does not wait for it.
        _ = self._models.backend
        return InferenceGrants(
            models={model.name: self._models.named(model) for model in granted.models},
            load=self._models.supplied if granted.may_load else None,
            tensor_types=granted.tensor_types,
        ).begin

    def warm_ups(self) -> Sequence[Callable[[], None]]:
        """
        See `HostModule.warm_ups`.
        """
        return self._models.warm_ups()
