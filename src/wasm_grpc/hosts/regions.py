"""Regions of guest memory, checked, for host functions that have no errno to report a bad pointer."""

from __future__ import annotations

from wasm_grpc.core.model import Reason
from wasm_grpc.engines.protocol import GuestStop
from wasm_grpc.engines.traps import OUT_OF_BOUNDS_MEMORY_ACCESS

__all__ = ["U32_MAX", "OutOfBounds", "put", "region"]

U32_MAX = 0xFFFF_FFFF
"""Mask for an i32 that the engine delivers signed."""


class OutOfBounds(Exception):
    """
    A guest's pointer and length lie outside its memory.
    """

    def as_stop(self, function: str) -> GuestStop:
        """
        Return what ends the guest, as an instruction with that pointer would.

        Args:
            function: The function that was called with it.
        """
        return GuestStop(Reason.TRAPPED, f"{OUT_OF_BOUNDS_MEMORY_ACCESS} in {function}: {self}")


def region(memory: memoryview, at: int, length: int) -> memoryview:
    """
    Return `length` bytes of guest memory from `at`, both unsigned.

    Raises:
        OutOfBounds: They are not inside memory. No bytes may be anywhere: the SDKs pass a dangling pointer.
    """
    if not length:
        return memory[:0]
    end = at + length
    if end > len(memory):
        raise OutOfBounds(f"{length} bytes at {at}; expected them within {len(memory)}")
    return memory[at:end]


def put(memory: memoryview, at: int, content: bytes | memoryview) -> None:
    """
    Copy bytes to guest memory.

    Raises:
        OutOfBounds: As `region`.
    """
    region(memory, at, len(content))[:] = content
