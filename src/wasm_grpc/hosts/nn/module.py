"""wasi-nn as a `HostModule`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from wasm_grpc.core.model import Grants
from wasm_grpc.engines.protocol import HostModules
from wasm_grpc.hosts.nn import ephemeral
from wasm_grpc.hosts.nn.state import InferenceGrants, InferenceState
from wasm_grpc.hosts.protocol import Begin
from wasm_grpc.inference.models import Models

__all__ = ["WasiNn"]


class WasiNn:
    """
    A `HostModule`: inference with the models that a function was granted, or brings.
    """

    __slots__ = ("_models",)

    functions: ClassVar[HostModules] = ephemeral.FUNCTIONS
    state: ClassVar[type] = InferenceState

    def __init__(self, models: Models) -> None:
        """
        Start with the models of the process.
        """
        self._models = models

    def open(self, grants: Grants, imports: Collection[str] = ()) -> Begin:
        """
        See `HostModule.open`.

        Raises:
            InferenceUnavailableError: The function may run models, and there is no inference backend.
            ModelError: A model has changed since the server checked it, or can't be opened.
        """
        return InferenceGrants(
            models=self._models.grant(grants.inference), tensor_types=grants.inference.tensor_types
        ).begin

    def import_libraries(self, *, infers: bool, decodes: bool) -> None:
        """
        See `HostModule.import_libraries`.

        Raises:
            InferenceUnavailableError: There is no inference backend.
        """
        if infers:
            _ = self._models.backend

    def warm_ups(self) -> Sequence[Callable[[], None]]:
        """
        See `HostModule.warm_ups`.
        """
        return self._models.warm_ups()
