"""The models that the guests of one function may run: those it was granted, and those that they bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from wasm_grpc.core.errors import ModelError
from wasm_grpc.core.model import MIB
from wasm_grpc.inference.mapped import MappedFile
from wasm_grpc.inference.protocol import Session

__all__ = [
    "SUPPLIED_LIMIT_BYTES",
    "GrantedContent",
    "LargeModelError",
    "ModelGrants",
    "UngrantedModelError",
]

SUPPLIED_LIMIT_BYTES = 64 * MIB
"""Limit on all models that guests supplied to a worker. The least recently used are evicted first."""


class UngrantedModelError(Exception):
    """
    The function may run no model but those that it was granted.
    """


class LargeModelError(ModelError):
    """
    A guest's own model is longer than `SUPPLIED_LIMIT_BYTES`.
    """


@dataclass(frozen=True, slots=True)
class GrantedContent:
    """
    A granted model, for guests that bring its content.

    Attributes:
        file: Its content.
        session: Its session.
    """

    file: MappedFile
    session: Session


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelGrants:
    """
    The models that the guests of one function may run.

    Attributes:
        named: Sessions by the name that a guest passes.
        contents: The same models by their content.
        load: Returns the session of a guest's own model (see `Models.supplied`); ``None`` if the function may
            not bring one.
    """

    named: Mapping[str, Session] = field(default_factory=dict)
    contents: Sequence[GrantedContent] = ()
    load: Callable[[bytes], Session] | None = None

    def brought(self, content: memoryview) -> Session:
        """
        Return the session of a model whose content a guest brings: the granted one if there is one like it.

        Args:
            content: The model, in the guest's memory.

        Raises:
            UngrantedModelError: It is none of the granted models, and the function may not bring its own.
            LargeModelError, ModelError, MemoryError: It can't be run.
        """
        for granted in self.contents:
            if granted.file.equals(content):
                return granted.session
        if self.load is None:
            raise UngrantedModelError
        if len(content) > SUPPLIED_LIMIT_BYTES:
            raise LargeModelError(f"has {len(content)} bytes; expected at most {SUPPLIED_LIMIT_BYTES}")
        return self.load(bytes(content))
