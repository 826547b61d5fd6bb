"""Read the types of functions, memories and tables, and skip unknown newer forms where possible."""

from __future__ import annotations

from dataclasses import dataclass

from wasm_grpc.core.errors import ModuleError
from wasm_grpc.engines.binary.cursor import Cursor
from wasm_grpc.engines.protocol import FuncType

__all__ = ["MemoryType", "TableType", "read_function_types", "read_memory", "read_table", "read_value_type"]

_MAX_TYPES = 1_000_000
"""Implementation limits of the JavaScript API (webassembly.github.io/spec/js-api, "Limits")."""
_MAX_PARAMS = 1_000

_FUNC, _STRUCT, _ARRAY, _SUB, _SUB_FINAL, _REC = 0x60, 0x5F, 0x5E, 0x50, 0x4F, 0x4E
_REF, _REF_NULL = 0x64, 0x63
_HAS_MAX, _IS_SHARED, _IS_64, _HAS_PAGE_SIZE = 1, 2, 4, 8

_VALUE_TYPES = {
    0x7F: "i32",
    0x7E: "i64",
    0x7D: "f32",
    0x7C: "f64",
    0x7B: "v128",
    0x78: "i8",
    0x77: "i16",
    0x74: "nullexnref",
    0x73: "nullfuncref",
    0x72: "nullexternref",
    0x71: "nullref",
    0x70: "funcref",
    0x6F: "externref",
    0x6E: "anyref",
    0x6D: "eqref",
    0x6C: "i31ref",
    0x6B: "structref",
    0x6A: "arrayref",
    0x69: "exnref",
}


class _UnknownFormError(Exception):
    """
    A type has a form that this reader doesn't know.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryType:
    """
    A linear memory: its limits in pages.

    Attributes:
        min_pages: Initial size.
        max_pages: Maximum size, or ``None`` if the module sets none.
        is_shared: It is shared between threads.
        is_64: It has 64-bit addresses.
        has_page_size: It has a custom page size.
    """

    min_pages: int
    max_pages: int | None = None
    is_shared: bool = False
    is_64: bool = False
    has_page_size: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableType:
    """
    A table: its limits in elements.

    Attributes:
        element: Encoded type of the elements.
        min_elements: Initial size.
        max_elements: Maximum size, or ``None`` if the module sets none.
        is_64: It has 64-bit indexes.
        has_initializer: An expression initialises its elements.
    """

    element: bytes
    min_elements: int
    max_elements: int | None = None
    is_64: bool = False
    has_initializer: bool = False


def read_function_types(section: Cursor) -> list[FuncType | None] | None:
    """
    Return the type section by index, with ``None`` for types that are not function types.

    Returns ``None`` if the section has a type of unknown form, since no later index is certain then.

    Raises:
        ModuleError: It is truncated or damaged.
    """
    types: list[FuncType | None] = []
    try:
        for _ in range(section.count("types", _MAX_TYPES)):
            if section.peek() == _REC:
                section.byte()
                types += [_read_subtype(section) for _ in range(section.count("types", _MAX_TYPES))]
            else:
                types.append(_read_subtype(section))
    except _UnknownFormError:
        return None
    return types


def read_value_type(cursor: Cursor) -> str:
    """
    Return a value type by its name in the specification.
    """
    try:
        return _read_value_type(cursor)
    except _UnknownFormError as exc:
        raise ModuleError(f"module has an unknown value type before byte {cursor.position}") from exc


def read_memory(cursor: Cursor) -> MemoryType:
    """
    Return a memory type.
    """
    flags, minimum, maximum = _read_limits(cursor, _HAS_MAX | _IS_SHARED | _IS_64 | _HAS_PAGE_SIZE)
    if flags & _HAS_PAGE_SIZE:
        # The logarithm of the page size. It is only skipped, since such memories are refused.
        cursor.u32()
    return MemoryType(
        min_pages=minimum,
        max_pages=maximum,
        is_shared=bool(flags & _IS_SHARED),
        is_64=bool(flags & _IS_64),
        has_page_size=bool(flags & _HAS_PAGE_SIZE),
    )


def read_table(cursor: Cursor) -> TableType:
    """
    Return a table type. If `TableType.has_initializer` is set, the expression after it is not consumed.
    """
    has_initializer = cursor.peek() == 0x40
    if has_initializer:
        # 0x40 0x00 marks the form with an initialiser.
        cursor.take(2)
    begin = cursor.position
    read_value_type(cursor)
    element = cursor.since(begin)
    flags, minimum, maximum = _read_limits(cursor, _HAS_MAX | _IS_64)
    return TableType(
        element=element,
        min_elements=minimum,
        max_elements=maximum,
        is_64=bool(flags & _IS_64),
        has_initializer=has_initializer,
    )


def _read_limits(cursor: Cursor, known: int) -> tuple[int, int, int | None]:
    flags = cursor.byte()
    if flags & ~known:
        raise ModuleError(
            f"module has limits of an unknown form, 0x{flags:02x}; expected at most 0x{known:02x}"
        )
    read = cursor.u64 if flags & _IS_64 else cursor.u32
    return flags, read(), read() if flags & _HAS_MAX else None


def _read_subtype(cursor: Cursor) -> FuncType | None:
    form = cursor.byte()
    if form in (_SUB, _SUB_FINAL):
        for _ in range(cursor.count("supertypes", _MAX_TYPES)):
            cursor.u32()
        form = cursor.byte()
    if form == _FUNC:
        return FuncType(_read_value_types(cursor), _read_value_types(cursor))
    if form == _STRUCT:
        for _ in range(cursor.count("fields", _MAX_TYPES)):
            _skip_field(cursor)
    elif form == _ARRAY:
        _skip_field(cursor)
    else:
        raise _UnknownFormError
    return None


def _skip_field(cursor: Cursor) -> None:
    _read_value_type(cursor)
    cursor.byte()


def _read_value_types(cursor: Cursor) -> tuple[str, ...]:
    return tuple(_read_value_type(cursor) for _ in range(cursor.count("parameters", _MAX_PARAMS)))


def _read_value_type(cursor: Cursor) -> str:
    code = cursor.byte()
    if code in (_REF, _REF_NULL):
        heap = cursor.s33()
        nullable = "null " if code == _REF_NULL else ""
        return f"(ref {nullable}{_VALUE_TYPES.get(heap & 0x7F, str(heap)) if heap < 0 else heap})"
    name = _VALUE_TYPES.get(code)
    if name is None:
        raise _UnknownFormError
    return name
