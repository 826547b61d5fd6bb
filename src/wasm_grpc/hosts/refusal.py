"""How a host function refuses an argument: an errno for the guest, and a line for its log."""

from __future__ import annotations

from wasm_grpc.engines.protocol import Context

__all__ = ["Refusal", "memory_of", "region"]


class Refusal(Exception):
    """
    Return an errno to the guest. The message says what is wrong and what was expected.
    """

    def __init__(self, errno: int, sentence: str) -> None:
        super().__init__(sentence)
        self.errno = errno


def memory_of(context: Context, *, errno: int) -> memoryview:
    """
    Return the guest's memory.

    Raises:
        Refusal: The module exports none; with this errno.
    """
    memory = context.memory()
    if not memory:
        raise Refusal(errno, "the module has no memory; expected an export 'memory'")
    return memory


def region(memory: memoryview, at: int, length: int, what: str, *, errno: int) -> memoryview:
    """
    Return `length` bytes of guest memory from `at`, both unsigned.

    Raises:
        Refusal: The region is out of bounds; with this errno.
    """
    end = at + length
    if end > len(memory):
        raise Refusal(errno, f"{what} is out of bounds; expected {length} bytes at {at} within {len(memory)}")
    return memory[at:end]
