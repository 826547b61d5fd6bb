"""Rewrite a binary: change a few sections and copy the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wasm_grpc.core.errors import ModuleError
from wasm_grpc.engines.binary.cursor import Cursor, encode_u32
from wasm_grpc.engines.binary.module import Module, SectionId, read_module
from wasm_grpc.engines.protocol import FuncType

__all__ = ["START_EXPORT", "defer_start", "encode_section", "replace_sections"]

START_EXPORT = "wasm-grpc:start"
"""Name of the export that `defer_start` makes of a module's start function."""

_START_TYPE = FuncType(())


def encode_section(section_id: int, entries: Sequence[bytes]) -> bytes:
    """
    Return an encoded section that consists of one vector.
    """
    content = encode_u32(len(entries)) + b"".join(entries)
    return bytes([section_id]) + encode_u32(len(content)) + content


def replace_sections(wasm: bytes, module: Module, replacements: Mapping[int, bytes]) -> bytes:
    """
    Return the module with some sections, by id, replaced by other bytes.
    """
    parts = [wasm[:8]]
    parts += [replacements.get(section.id, wasm[section.begin : section.end]) for section in module.sections]
    return b"".join(parts)


def defer_start(wasm: bytes) -> bytes:
    """
    Turn a module's start function into an export, `START_EXPORT`. A module without one stays unchanged.

    `Instance.start` calls that export. So the start function runs within an invocation and its deadline. And
    a host function that it calls can access the guest's memory, which no engine's binding allows during
    instantiation.

    Raises:
        ModuleError: As `read_module`, or the start function has a wrong type.
    """
    module = read_module(wasm)
    if module.export(START_EXPORT) is not None:
        raise ModuleError(f"module exports {START_EXPORT!r}, which is reserved; expected another name")
    if module.start is None:
        return wasm
    if module.start_type not in (None, _START_TYPE):
        raise ModuleError(f"module has a start function of type {module.start_type}; expected {_START_TYPE}")
    entry = _encode_start_export(module.start)
    exports = next((section for section in module.sections if section.id == SectionId.EXPORT), None)
    if exports is None:
        # Sections have a fixed order. The export section comes directly before the start section, so it may
        # take its place.
        return replace_sections(wasm, module, {SectionId.START: encode_section(SectionId.EXPORT, [entry])})
    kept = Cursor(wasm, exports.content, exports.end)
    content = encode_u32(kept.u32() + 1) + entry + kept.take(kept.end - kept.position)
    section = bytes([SectionId.EXPORT]) + encode_u32(len(content)) + content
    # The start section is dropped, or the engine would run the function at instantiation.
    return replace_sections(wasm, module, {SectionId.EXPORT: section, SectionId.START: b""})


def _encode_start_export(index: int) -> bytes:
    name = START_EXPORT.encode()
    return encode_u32(len(name)) + name + b"\0" + encode_u32(index)
