"""Read a core module's imports, exports, memories and tables from an untrusted binary."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from wasm_grpc.core.errors import ModuleError
from wasm_grpc.engines.binary.cursor import Cursor
from wasm_grpc.engines.binary.types import (
    MemoryType,
    TableType,
    read_function_types,
    read_memory,
    read_table,
    read_value_type,
)
from wasm_grpc.engines.protocol import FuncType

__all__ = [
    "Export",
    "ExternKind",
    "Import",
    "MemoryType",
    "Module",
    "Section",
    "SectionId",
    "TableType",
    "read_module",
]

_MAGIC = b"\0asm"
_CORE_VERSION = b"\x01\0\0\0"
_COMPONENT_LAYER = b"\x01\0"
"""Bytes 6 and 7 of a component (component model, Binary.md, "Component Definitions")."""
_MAX_ENTRIES = 1_000_000
"""Implementation limit on functions, imports and exports (webassembly.github.io/spec/js-api, "Limits")."""
_MAX_TABLES = 100_000
_MAX_MEMORIES = 100


class SectionId(enum.IntEnum):
    """
    Ids of the sections that are read or rewritten here (core specification, 5.5.2).
    """

    CUSTOM = 0
    TYPE = 1
    IMPORT = 2
    FUNCTION = 3
    TABLE = 4
    MEMORY = 5
    EXPORT = 7
    START = 8


class ExternKind(str, enum.Enum):
    """
    Kind of an import or export.
    """

    FUNC = "func"
    TABLE = "table"
    MEMORY = "memory"
    GLOBAL = "global"
    TAG = "tag"


_KINDS = tuple(ExternKind)
"""Kinds, indexed by their code in the binary format (core specification, 5.5.5)."""


@dataclass(frozen=True, slots=True)
class Section:
    """
    The position of a section in the binary: its header begins at `begin`, its content at `content`.
    """

    id: int
    begin: int
    content: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """
    One import. `type` is ``None`` unless it is a function whose type can be read.

    `memory` is ``None`` unless it is a memory.
    """

    module: str
    name: str
    kind: ExternKind
    type: FuncType | None = None
    memory: MemoryType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """
    One export. `type` is ``None`` unless it is a function whose type can be read.
    """

    name: str
    kind: ExternKind
    index: int
    type: FuncType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """
    The interface of a core module.

    Attributes:
        imports: In the module's order. A pair of names may occur twice.
        exports: In the module's order.
        memories: Memories that it defines, without imported ones.
        tables: Tables that it defines, without imported ones.
        start: Index of its start function, or ``None``.
        start_type: Type of its start function; ``None`` if it has none or the type can't be read.
        sections: All sections, custom ones too.
    """

    imports: tuple[Import, ...] = ()
    exports: tuple[Export, ...] = ()
    memories: tuple[MemoryType, ...] = ()
    tables: tuple[TableType, ...] = ()
    start: int | None = None
    start_type: FuncType | None = None
    sections: tuple[Section, ...] = ()

    @property
    def has_start(self) -> bool:
        """
        Whether the module runs code when it is instantiated.
        """
        return self.start is not None

    def export(self, name: str) -> Export | None:
        """
        Return the export of that name, or ``None``.
        """
        return next((export for export in self.exports if export.name == name), None)


def read_module(wasm: bytes) -> Module:
    """
    Read a module's imports, exports, memories and tables. The code is skipped.

    The module may still be invalid: validation is the engine's job. Time and memory are bounded by the
    size of `wasm`.

    Raises:
        ModuleError: It is not WebAssembly, is a component, or is truncated or damaged.
    """
    _check_header(wasm)
    sections = tuple(_read_sections(wasm))
    return _Reader(wasm, sections).read()


def _check_header(wasm: bytes) -> None:
    expected = "expected a WebAssembly core module"
    if not wasm:
        raise ModuleError(f"module is empty; {expected}")
    if wasm[:64].lstrip().startswith((b"(module", b"(component", b";;", b"(;")):
        raise ModuleError(f"module is WebAssembly text; {expected} (wat2wasm makes one)")
    if wasm[:4] != _MAGIC:
        raise ModuleError(f"module is not WebAssembly, it begins with {wasm[:4]!r}; {expected}")
    if len(wasm) < 8:
        raise ModuleError(f"module is cut off at byte {len(wasm)}; {expected}")
    if wasm[6:8] == _COMPONENT_LAYER:
        raise ModuleError(
            f"module is a component; {expected}: build it for WASI preview 1, target wasm32-wasip1"
        )
    if wasm[4:8] != _CORE_VERSION:
        raise ModuleError(f"module has version {int.from_bytes(wasm[4:8], 'little')}; expected version 1")


def _read_sections(wasm: bytes) -> list[Section]:
    cursor = Cursor(wasm, 8, len(wasm))
    sections = []
    seen = set()
    while not cursor.is_at_end:
        begin = cursor.position
        number = cursor.byte()
        content = cursor.part(cursor.u32())
        if number != SectionId.CUSTOM and number in seen:
            raise ModuleError(f"module has section {number} twice; expected a valid module")
        seen.add(number)
        sections.append(Section(number, begin, content.position, content.end))
    return sections


class _Reader:
    """
    The index spaces of one module, filled section by section.
    """

    def __init__(self, wasm: bytes, sections: tuple[Section, ...]) -> None:
        self._wasm = wasm
        self._sections = sections
        self._types: list[FuncType | None] | None = []
        self._functions: list[FuncType | None] = []
        self._imports: list[Import] = []
        self._exports: list[Export] = []
        self._memories: list[MemoryType] = []
        self._tables: list[TableType] = []
        self._start: int | None = None

    def read(self) -> Module:
        readers: dict[int, Callable[[Cursor], None]] = {
            SectionId.TYPE: self._read_types,
            SectionId.IMPORT: self._read_imports,
            SectionId.FUNCTION: self._read_functions,
            SectionId.TABLE: self._read_tables,
            SectionId.MEMORY: self._read_memories,
            SectionId.EXPORT: self._read_exports,
            SectionId.START: self._read_start,
        }
        for section in self._sections:
            read = readers.get(section.id)
            if read is not None:
                read(Cursor(self._wasm, section.content, section.end))
        return Module(
            imports=tuple(self._imports),
            exports=tuple(self._exports),
            memories=tuple(self._memories),
            tables=tuple(self._tables),
            start=self._start,
            start_type=None if self._start is None else self._function(self._start),
            sections=self._sections,
        )

    def _read_types(self, cursor: Cursor) -> None:
        self._types = read_function_types(cursor)

    def _read_imports(self, cursor: Cursor) -> None:
        for _ in range(cursor.count("imports", _MAX_ENTRIES)):
            module, name, kind = cursor.name(), cursor.name(), _read_kind(cursor)
            function = memory = None
            if kind is ExternKind.FUNC:
                function = self._type(cursor.u32())
                self._functions.append(function)
            elif kind is ExternKind.MEMORY:
                memory = read_memory(cursor)
            else:
                _skip_extern(cursor, kind)
            self._imports.append(Import(module=module, name=name, kind=kind, type=function, memory=memory))

    def _read_functions(self, cursor: Cursor) -> None:
        for _ in range(cursor.count("functions", _MAX_ENTRIES)):
            self._functions.append(self._type(cursor.u32()))

    def _read_tables(self, cursor: Cursor) -> None:
        for _ in range(cursor.count("tables", _MAX_TABLES)):
            table = read_table(cursor)
            self._tables.append(table)
            if table.has_initializer:
                # An expression of unknown length follows. The engine limits refuse such tables anyway.
                return

    def _read_memories(self, cursor: Cursor) -> None:
        for _ in range(cursor.count("memories", _MAX_MEMORIES)):
            self._memories.append(read_memory(cursor))

    def _read_exports(self, cursor: Cursor) -> None:
        for _ in range(cursor.count("exports", _MAX_ENTRIES)):
            name, kind, index = cursor.name(), _read_kind(cursor), cursor.u32()
            function = self._function(index) if kind is ExternKind.FUNC else None
            self._exports.append(Export(name=name, kind=kind, index=index, type=function))

    def _read_start(self, cursor: Cursor) -> None:
        self._start = cursor.u32()

    def _type(self, index: int) -> FuncType | None:
        if self._types is None:
            return None
        if index >= len(self._types):
            raise ModuleError(f"module refers to type {index} of {len(self._types)}; expected a valid module")
        return self._types[index]

    def _function(self, index: int) -> FuncType | None:
        if index >= len(self._functions):
            raise ModuleError(
                f"module refers to function {index} of {len(self._functions)}; expected a valid module"
            )
        return self._functions[index]


def _read_kind(cursor: Cursor) -> ExternKind:
    code = cursor.byte()
    if code >= len(_KINDS):
        raise ModuleError(
            f"module has an import or export of unknown kind {code}; expected 0 to {len(_KINDS) - 1}"
        )
    return _KINDS[code]


def _skip_extern(cursor: Cursor, kind: ExternKind) -> None:
    if kind is ExternKind.TABLE:
        read_table(cursor)
    elif kind is ExternKind.GLOBAL:
        read_value_type(cursor)
        cursor.byte()
    else:
        cursor.byte()
        cursor.u32()
