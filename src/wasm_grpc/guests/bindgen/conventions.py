"""Recognise modules that were built with wasmedge-bindgen or rustwasmc, and tell the versions apart."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Final

from wasm_grpc.engines.binary import ExternKind, Import, Module
from wasm_grpc.engines.protocol import FuncType

__all__ = [
    "ALLOCATE",
    "ALLOCATE_TYPE",
    "DEALLOCATE",
    "DEALLOCATE_TYPE",
    "FREE",
    "MALLOC",
    "WASM_BINDGEN_CALLED",
    "Convention",
    "find_convention",
    "functions_of",
    "is_callable",
    "returns_record",
]

ALLOCATE: Final = "allocate"
"""The export by which the host gets memory for arguments."""
DEALLOCATE: Final = "deallocate"
"""The export by which the host frees memory."""
ALLOCATE_TYPE: Final = FuncType(("i32",), ("i32",))
DEALLOCATE_TYPE: Final = FuncType(("i32", "i32"))
MALLOC: Final = "__wbindgen_malloc"
"""What ``allocate`` is to wasmedge-bindgen, for wasm-bindgen."""
FREE: Final = "__wbindgen_free"
"""What ``deallocate`` is to wasmedge-bindgen, for wasm-bindgen."""
WASM_BINDGEN_CALLED: Final = FuncType(("i32", "i32", "i32"))
"""A function of wasm-bindgen that takes bytes or a text, and returns bytes or a text."""
_IMPORT_TYPE: Final = FuncType(("i32", "i32"))
_IMPORTS: Final = ("return_result", "return_error")
_CALLED: Final = FuncType(("i32", "i32"))
_CALLED_WITH_RECORD: Final = FuncType(("i32", "i32"), ("i32",))


class Convention(str, enum.Enum):
    """
    How the functions of a module hand over their results. The value names it for people.
    """

    ENV = "wasmedge-bindgen 0.1.0 to 0.1.8"
    """They call ``env.return_result``, with bytes, or ``env.return_error``."""
    IMPORTED = "wasmedge-bindgen 0.1.11 to 0.1.14"
    """They call the functions of those names in the module ``wasmedge-bindgen``."""
    RECORD = "wasmedge-bindgen 0.4"
    """They return the address of a record."""
    WASM_BINDGEN = "wasm-bindgen by rustwasmc"
    """They write an address and a length to an address that they are given."""


_MODULES: Final = {"env": Convention.ENV, "wasmedge-bindgen": Convention.IMPORTED}


def find_convention(module: Module) -> Convention | None:
    """
    Return how a module's functions hand over their results; ``None`` if neither tool built it.
    """
    # Later versions of wasm-bindgen have another parameter here; they need JavaScript beside the module.
    if _exports(module, MALLOC, ALLOCATE_TYPE) and _exports(module, FREE, DEALLOCATE_TYPE):
        return Convention.WASM_BINDGEN if any(functions_of(module, Convention.WASM_BINDGEN)) else None
    if not _exports(module, ALLOCATE, ALLOCATE_TYPE) or not _exports(module, DEALLOCATE, DEALLOCATE_TYPE):
        return None
    imports = [each for each in module.imports if each.module in _MODULES and each.name in _IMPORTS]
    # Other toolkits have imports of these names, with other parameters.
    if not all(map(_is_return, imports)):
        return None
    if imports:
        convention = _MODULES[imports[0].module]
        is_one = all(_MODULES[each.module] is convention for each in imports)
        return convention if is_one and any(functions_of(module, convention)) else None
    return Convention.RECORD if any(functions_of(module, Convention.RECORD)) else None


def functions_of(module: Module, convention: Convention) -> Iterator[str]:
    """
    Yield the names of the exports that may be functions of the guest.
    """
    if convention is Convention.WASM_BINDGEN:
        yield from (each.name for each in module.exports if each.type == WASM_BINDGEN_CALLED)
        return
    for export in module.exports:
        is_record = convention is Convention.RECORD
        if is_callable(export.name, export.type) and returns_record(export.type) is is_record:
            yield export.name


def is_callable(name: str, kind: FuncType | None) -> bool:
    """
    Return whether an export of this name and type may be a function of a guest.
    """
    return name not in (ALLOCATE, DEALLOCATE) and kind in (_CALLED, _CALLED_WITH_RECORD)


def returns_record(kind: FuncType | None) -> bool:
    """
    Return whether a function of this type returns the address of a record.
    """
    return kind == _CALLED_WITH_RECORD


def _exports(module: Module, name: str, kind: FuncType) -> bool:
    export = module.export(name)
    return export is not None and export.type == kind


def _is_return(imported: Import) -> bool:
    return imported.kind is ExternKind.FUNC and imported.type == _IMPORT_TYPE
