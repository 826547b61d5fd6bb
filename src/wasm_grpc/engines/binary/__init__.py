"""Read and rewrite parts of WebAssembly core binaries (core specification, chapter 5)."""

from wasm_grpc.engines.binary.module import (
    Export,
    ExternKind,
    Import,
    MemoryType,
    Module,
    TableType,
    read_module,
)

__all__ = ["Export", "ExternKind", "Import", "MemoryType", "Module", "TableType", "read_module"]
