"""
The protocol of inference backends: a backend opens a model as a session.

Everything is used from one thread. Tensors are passed as bytes: row-major, little-endian, without gaps
(the layout of TensorFlow Lite and wasi-nn).
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Backend", "Session", "TensorInfo", "TensorType"]


class TensorType(str, enum.Enum):
    """
    Types of a tensor's elements: numbers and booleans.
    """

    F16 = "f16"
    F32 = "f32"
    F64 = "f64"
    U8 = "u8"
    U16 = "u16"
    U32 = "u32"
    U64 = "u64"
    I8 = "i8"
    I16 = "i16"
    I32 = "i32"
    I64 = "i64"
    BOOL = "bool"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """
    An input or output of a model.

    Attributes:
        name: Name in the model.
        type: Type of the elements.
        shape: Dimensions.
        size_bytes: Size of the whole tensor.
    """

    name: str
    type: TensorType
    shape: tuple[int, ...]
    size_bytes: int

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape)) or 'scalar'}:{self.type.value}"


class Session(Protocol):
    """
    A model that is ready to run. All its users share it.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    """The outputs as known before the first run. The size of an output may depend on the input."""

    def run(self, inputs: Sequence[bytes], *, owner: int) -> tuple[bytes, ...]:
        """
        Run the model once and return its outputs.

        Args:
            inputs: The data of each of `inputs`, of its exact size.
            owner: The caller's number. State that a model keeps between runs is reset when the owner
                changes.

        Raises:
            ModelError: The backend failed to run it.
            MemoryError: There was not enough memory.
        """
        ...


class Backend(Protocol):
    """
    One inference backend in this process.
    """

    name: str
    version: str

    def open(self, model: bytes | str, *, threads: int) -> Session:
        """
        Load a model. Invalid bytes may crash the process.

        Args:
            model: Its content, or the path of a file. The file is mapped, and may be closed and unlinked
                afterwards.
            threads: Threads for one run.

        Raises:
            ModelError: It is not a model that the backend can run.
            UnsupportedModelError: It needs a feature that the backend lacks.
            MemoryError: There was not enough memory.
        """
        ...
