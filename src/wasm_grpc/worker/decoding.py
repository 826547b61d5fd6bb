"""What a worker is told, from a frame's JSON into frozen data; it trusts its server."""

from __future__ import annotations

from typing import Any

from wasm_grpc.core.model import (
    GuestKind,
    Inference,
    Limits,
    Model,
    Mount,
    MountEntry,
    TensorTypes,
    WorkerFunction,
)

__all__ = ["read_function", "read_model"]


def read_function(head: dict[str, Any]) -> WorkerFunction:
    """
    Return the function of a LOAD frame.
    """
    head["guest"] = GuestKind(head["guest"])
    head["args"] = tuple(head["args"])
    head["env"] = tuple((name, value) for name, value in head["env"])
    head["limits"] = Limits(**head["limits"])
    head["mounts"] = tuple(_mount(mount) for mount in head["mounts"])
    head["inference"] = _inference(head["inference"])
    return WorkerFunction(**head)


def read_model(head: dict[str, Any]) -> Model:
    """
    Return the model of an INSPECT frame.
    """
    return Model(**head)


def _mount(head: dict[str, Any]) -> Mount:
    head["entries"] = tuple(MountEntry(**entry) for entry in head["entries"])
    return Mount(**head)


def _inference(head: dict[str, Any]) -> Inference:
    head["models"] = tuple(map(read_model, head["models"]))
    head["tensor_types"] = TensorTypes(head["tensor_types"])
    return Inference(**head)
