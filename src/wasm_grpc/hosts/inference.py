"""What the host modules for inference have in common: how a guest brings a model, and runs out of memory."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from wasm_grpc.core.memory_limits import over_worker_memory
from wasm_grpc.core.model import Reason
from wasm_grpc.engines.protocol import GuestStop
from wasm_grpc.inference.grants import ModelGrants, UngrantedModelError
from wasm_grpc.inference.protocol import Session, TensorInfo

__all__ = ["SHOWN_CHARS", "bring", "describe_names", "describe_tensor", "out_of_memory"]

SHOWN_CHARS: Final = 60
"""How many characters of a name a line shows. A guest may pass a long one, and a model may have them."""
_SHOWN_NAMES: Final = 8


def bring(models: ModelGrants, content: memoryview) -> Session:
    """
    Return the session of a model whose content a guest brings.

    Raises:
        GuestStop: The function may not run this model.
        LargeModelError, UnsupportedModelError, ModelError, MemoryError: See `ModelGrants.brought`.
    """
    try:
        return models.brought(content)
    except UngrantedModelError:
        # No errno means "forbidden", and the guest can't work without its model: stop it.
        raise GuestStop(
            Reason.DENIED,
            "the guest brings a model that was not granted; expected the content of a file in "
            "capabilities.nn.models, or capabilities.nn.load = true (`wasm-grpc run`: --nn-model, --nn)",
        ) from None


def describe_tensor(kind: str, index: int, tensor: TensorInfo) -> str:
    """
    Return how a tensor is named in a guest's log: ``input 0 'picture'``.
    """
    return f"{kind} {index} {tensor.name[:SHOWN_CHARS]!r}"


def describe_names(names: Iterable[str]) -> str:
    """
    Return the first of these names, for a guest's log: ``'a', 'b'``.
    """
    return ", ".join(repr(name[:SHOWN_CHARS]) for name in islice(names, _SHOWN_NAMES))


def out_of_memory() -> GuestStop:
    """
    Return the exception that ends a guest whose inference ran out of memory.
    """
    return GuestStop(Reason.WORKER_MEMORY, over_worker_memory("inference ran out of its worker's memory"))
