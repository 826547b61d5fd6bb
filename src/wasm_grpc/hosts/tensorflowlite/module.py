"""``wasmedge_tensorflowlite`` as a `HostModule`, with the models and grants of wasi-nn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from wasm_grpc.core.model import Grants
from wasm_grpc.engines.protocol import HostModules
from wasm_grpc.hosts.protocol import Begin, HostCall
from wasm_grpc.hosts.tensorflowlite import abi, current, first, tensorflow
from wasm_grpc.hosts.tensorflowlite.state import TensorflowLiteState
from wasm_grpc.inference.models import Models

__all__ = ["TensorflowLite"]


class TensorflowLite:
    """
    A `HostModule`: inference with the models that a guest brings.
    """

    __slots__ = ("_models",)

    functions: ClassVar[HostModules] = {
        **{(abi.MODULE, name): function for name, function in current.FUNCTIONS.items()},
        **{(abi.MODULE, name): function for name, function in first.FUNCTIONS.items()},
        **{(tensorflow.MODULE, name): function for name, function in tensorflow.FUNCTIONS.items()},
    }
    state: ClassVar[type] = TensorflowLiteState

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
        models = self._models.grant(grants.inference)

        def begin(call: HostCall) -> TensorflowLiteState:
            return TensorflowLiteState(models, call.log)

        return begin

    def import_libraries(self, *, infers: bool, decodes: bool) -> None:
        """
        See `HostModule.import_libraries`. wasi-nn imports the backend, which both use.
        """

    def warm_ups(self) -> Sequence[Callable[[], None]]:
        """
        See `HostModule.warm_ups`. wasi-nn warms up the models.
        """
        return ()
