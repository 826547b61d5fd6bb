"""Write memory and table limits into a module, as the maxima in its own sections."""

from __future__ import annotations

from collections.abc import Sequence

from wasm_grpc.core.errors import ModuleError, UnsupportedModuleError
from wasm_grpc.core.memory_limits import MAX_MEMORY_BYTES, check_minimum
from wasm_grpc.core.model import PAGE_BYTES
from wasm_grpc.engines.binary.cursor import encode_u32
from wasm_grpc.engines.binary.module import MemoryType, Module, SectionId, TableType, read_module
from wasm_grpc.engines.binary.rewrite import encode_section, replace_sections

__all__ = ["TABLE_ELEMENTS", "check_unshared", "minimum_bytes", "write_limits"]

TABLE_ELEMENTS = 100_000
"""Limit on the elements of all tables of a module. The largest Go programs have some 30,000 functions."""


def write_limits(wasm: bytes, *, memory_bytes: int, table_elements: int = TABLE_ELEMENTS) -> bytes:
    """
    Rewrite a module so that its memories and its tables can't grow over the limits.

    If it has several memories (or tables), the space above their minima is shared evenly.
    Imported ones are ignored, since no host module provides any.

    Raises:
        ModuleError: Its initial size exceeds a limit, or it is not a core module.
        UnsupportedModuleError: It has a memory or table of a kind that can't be limited.
    """
    module = read_module(wasm)
    _check_supported(module)
    memories = _encode_memories(module.memories, min(memory_bytes, MAX_MEMORY_BYTES) // PAGE_BYTES)
    tables = _encode_tables(module.tables, table_elements)
    replacements: dict[int, bytes] = {}
    if memories:
        replacements[SectionId.MEMORY] = encode_section(SectionId.MEMORY, memories)
    if tables:
        replacements[SectionId.TABLE] = encode_section(SectionId.TABLE, tables)
    return replace_sections(wasm, module, replacements)


def minimum_bytes(module: Module) -> int:
    """
    Return the initial memory of each instance of a module, in bytes.
    """
    return sum(memory.min_pages for memory in module.memories) * PAGE_BYTES


def check_unshared(module: Module) -> None:
    """
    Check that a module has no shared memory, neither its own nor an imported one.

    Raises:
        UnsupportedModuleError: It has one.
    """
    imported = (each.memory for each in module.imports if each.memory is not None)
    if any(memory.is_shared for memory in (*module.memories, *imported)):
        raise UnsupportedModuleError(
            "module has a shared memory (threads); "
            "expected a build without threads: no -pthread, target wasm32-wasip1"
        )


def _check_supported(module: Module) -> None:
    check_unshared(module)
    for memory in module.memories:
        if memory.is_64:
            raise UnsupportedModuleError("module has a 64-bit memory; expected a 32-bit memory")
        if memory.has_page_size:
            raise UnsupportedModuleError(
                "module has a memory with its own page size; expected pages of 64 KiB"
            )
    for table in module.tables:
        if table.is_64:
            raise UnsupportedModuleError("module has a 64-bit table; expected a 32-bit table")
        if table.has_initializer:
            raise UnsupportedModuleError("module has a table with an initial value; expected a plain table")


def _encode_memories(memories: Sequence[MemoryType], limit_pages: int) -> list[bytes]:
    minima = [memory.min_pages for memory in memories]
    check_minimum(sum(minima) * PAGE_BYTES, limit_pages * PAGE_BYTES)
    maxima = _share(minima, [memory.max_pages for memory in memories], limit_pages)
    return [_encode_limits(low, high) for low, high in zip(minima, maxima, strict=True)]


def _encode_tables(tables: Sequence[TableType], limit_elements: int) -> list[bytes]:
    minima = [table.min_elements for table in tables]
    if sum(minima) > limit_elements:
        raise ModuleError(
            f"module has tables of at least {sum(minima)} elements; expected at most {limit_elements}"
        )
    maxima = _share(minima, [table.max_elements for table in tables], limit_elements)
    return [
        table.element + _encode_limits(low, high)
        for table, low, high in zip(tables, minima, maxima, strict=True)
    ]


def _share(minima: Sequence[int], maxima: Sequence[int | None], limit: int) -> list[int]:
    # Each memory may grow by an equal part of what the minima leave, unless its own maximum is lower.
    spare = (limit - sum(minima)) // max(len(minima), 1)
    return [
        low + spare if high is None else min(high, low + spare)
        for low, high in zip(minima, maxima, strict=True)
    ]


def _encode_limits(minimum: int, maximum: int) -> bytes:
    return b"\x01" + encode_u32(minimum) + encode_u32(maximum)
