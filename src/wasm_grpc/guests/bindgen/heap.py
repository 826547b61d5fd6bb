"""Memory of a guest that the host uses: arguments, their table, and what has to be freed after a call."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Final

from wasm_grpc.core.model import Reason
from wasm_grpc.engines.protocol import Context, GuestStop, Instance
from wasm_grpc.guests.bindgen.conventions import ALLOCATE, DEALLOCATE
from wasm_grpc.hosts.regions import U32_MAX, OutOfBounds, put

__all__ = ["Heap"]

_ENTRY_BYTES: Final = 8
_DANGLING: Final = 8
"""Address of an empty argument. Aligned for every type, as Rust demands of a vector without memory."""


class Heap:
    """
    What ``allocate`` and ``deallocate`` of one instance manage.

    Every method calls the guest, and so raises GuestExit, GuestStop or GuestTrap as `Instance.call` does.
    """

    __slots__ = ("_begin", "_context", "_table_at", "_table_bytes")

    def __init__(self, context: Context) -> None:
        self._context = context
        # The lowest address that `allocate` has returned. Static data and the stack, where some versions of
        # the macro leave errors and numbers, are below the heap, and must not be freed.
        self._begin = U32_MAX
        self._table_at = self._table_bytes = 0

    def place(self, instance: Instance, content: memoryview, *, end: bytes) -> int:
        """
        Copy an argument, and `end` after it, to new memory. Return its address.
        """
        size = len(content) + len(end)
        if not size:
            return _DANGLING
        at = self._allocate(instance, size)
        self._write(at, content)
        self._write(at + len(content), end)
        return at

    def place_table(self, instance: Instance, entries: Sequence[int]) -> int:
        """
        Copy the table of arguments to its place, and return its address.

        No version of the macro frees it, so it is used again, unless the next one is longer.
        """
        table = struct.pack(f"<{len(entries)}I", *entries)
        if len(table) > self._table_bytes or not self._table_bytes:
            # Also for no arguments: from its address the host learns where the heap is.
            self._table_bytes = max(len(table), _ENTRY_BYTES)
            self._table_at = self._allocate(instance, self._table_bytes)
        self._write(self._table_at, table)
        return self._table_at

    def free(self, instance: Instance, blocks: Mapping[int, int]) -> None:
        """
        Free memory, but nothing that is below the heap.

        Args:
            instance: The instance.
            blocks: Sizes by address.
        """
        for at, size in blocks.items():
            if at >= self._begin:
                # An empty vector may have memory all the same, and `deallocate` does nothing for no bytes.
                instance.call(DEALLOCATE, at, max(size, 1))

    def _allocate(self, instance: Instance, size: int) -> int:
        (result,) = instance.call(ALLOCATE, size)
        at = int(result) & U32_MAX
        if not at:
            raise GuestStop(
                Reason.OUT_OF_MEMORY, f"guest has no memory for {size} bytes", limit="limits.memory"
            )
        self._begin = min(self._begin, at)
        return at

    def _write(self, at: int, content: bytes | memoryview) -> None:
        try:
            put(self._context.memory(), at, content)
        except OutOfBounds as exc:
            raise exc.as_stop(ALLOCATE) from None
