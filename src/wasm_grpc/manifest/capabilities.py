"""The ``[capabilities]`` table: what a function may access; everything else is denied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StrictBool, StrictInt
from pydantic.dataclasses import dataclass

from wasm_grpc.core.model import TensorTypes
from wasm_grpc.manifest.checks import TABLE
from wasm_grpc.manifest.keys import Grant, GuestPath, MethodGrant, RelativePath, Sha256, Text

__all__ = ["Capabilities", "DaprGrants", "FileGrant", "InferenceGrants", "InferenceModel"]


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class FileGrant:
    """
    A file or folder that the guest may read.
    """

    host: RelativePath = Field(
        description="The file or folder, below the function's folder.", examples=["model"]
    )
    guest: GuestPath = Field(description="Where the guest sees it.", examples=["/model"])


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class DaprGrants:
    """
    Calls to Dapr that the guest may make. Each may have a "*" at its end, and only there.
    """

    state: tuple[Grant, ...] = Field(default=(), description="State keys: '<store>/<key>'.")
    publish: tuple[Grant, ...] = Field(default=(), description="Topics to publish to: '<pubsub>/<topic>'.")
    invoke: tuple[MethodGrant, ...] = Field(default=(), description="Methods to call: '<app>/<method>'.")
    secrets: tuple[Grant, ...] = Field(default=(), description="Secrets to read: '<store>/<key>'.")
    bindings: tuple[Grant, ...] = Field(default=(), description="Bindings to call: '<binding>/<operation>'.")
    configuration: tuple[Grant, ...] = Field(
        default=(), description="Configuration to read: '<store>/<key>'."
    )

    @property
    def is_granted(self) -> bool:
        """
        Whether it may make any call.
        """
        return any((self.state, self.publish, self.invoke, self.secrets, self.bindings, self.configuration))


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class InferenceModel:
    """
    A model that the guest may load by name.
    """

    path: RelativePath = Field(
        description="The model file below the function's folder.", examples=["model/model.tflite"]
    )
    threads: Annotated[StrictInt, Field(ge=1, le=64)] = Field(
        default=1, description="Threads for one inference."
    )
    sha256: Sha256 | None = Field(default=None, description="SHA-256 digest that the file must have.")


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class InferenceGrants:
    """
    The inference that the guest may use.
    """

    load: StrictBool = Field(default=False, description="The guest may bring its own model.")
    models: Mapping[Text, InferenceModel] = Field(default_factory=dict, description="Models by name.")
    tensor_types: TensorTypes = Field(
        default=TensorTypes.AUTO, description="Which of wasi-nn's two tables of tensor types the guest uses."
    )


@dataclass(frozen=True, slots=True, kw_only=True, config=TABLE)
class Capabilities:
    """
    Everything that the function may access.
    """

    files: tuple[FileGrant, ...] = Field(default=(), description="Files and folders to read.")
    dapr: DaprGrants = Field(default=DaprGrants(), description="Calls to Dapr.")
    nn: InferenceGrants = Field(default=InferenceGrants(), description="Inference.")
