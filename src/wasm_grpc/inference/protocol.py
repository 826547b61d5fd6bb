"""
What an inference backend is to the rest of the worker tower: it opens a model as a session.

Everything is used from one thread. Tensors cross as bytes: row-major, little-endian, nothing between
elements (the layout that TensorFlow Lite and wasi-nn share).
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Backend", "Session", "TensorInfo", "TensorType"]


class TensorType(str, enum.Enum):
    """
    Types of a tensor's elements; numbers only.
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
        name: As the model calls it.
        type: Of its elements.
        shape: Its dimensions.
        size_bytes: Of the whole tensor.
    """

    name: str
    type: TensorType
    shape: tuple[int, ...]
    size_bytes: int

    def __str__(self) -> str:
        return f"{'x'.join(map(str, self.shape)) or 'scalar'}:{self.type.value}"


class Session(Protocol):
    """
    A model that is ready to run; shared by all that use it.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    """As they are before the first run: the size of an output may depend on the input."""

    def run(self, inputs: Sequence[bytes], *, owner: int) -> tuple[bytes, ...]:
        """
        Run the model once and give its outputs.

        Args:
            inputs: One for each of `inputs`, of its size.
            owner: Who asks. What a model keeps from run to run is kept while the owner stays the
                same, and forgotten before another's run.

        Raises:
            ModelError: The backend failed to run it.
            MemoryError: There was not enough.
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
        Take up a model. Wrong bytes may crash the process.

        Args:
            model: Its contents, or the path of a file that is mapped and may be closed and unlinked
                afterwards.
            threads: Threads of one run.

        Raises:
            ModelError: It is no model that the backend can run.
            UnsupportedModelError: It asks for what this backend lacks.
            MemoryError: There was not enough.
        """
        ...
