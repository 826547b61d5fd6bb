"""The start function, turned into an export."""

from __future__ import annotations

import pytest

from unit.engines.binaries import module, name, vector
from wasm_grpc.core.errors import ModuleError
from wasm_grpc.engines.binary.rewrite import START_EXPORT, defer_start

TYPES = (1, vector(b"\x60\0\0", b"\x60\x01\x7f\0"))
FUNCTIONS = (3, vector(b"\0", b"\x01"))
EXPORTS = (7, vector(name("f") + b"\0\0"))
START = (8, b"\0")
CODE = (10, vector(b"\x02\0\x0b", b"\x02\0\x0b"))
ENTRY = name(START_EXPORT) + b"\0\0"


def test_a_module_without_start_stays_as_it_is() -> None:
    """Nothing is changed where there is nothing to defer."""
    wasm = module(TYPES, FUNCTIONS, EXPORTS, CODE)

    assert defer_start(wasm) is wasm


def test_the_start_function_joins_the_exports() -> None:
    """The start section goes, and its function becomes one more export."""
    wasm = defer_start(module(TYPES, FUNCTIONS, EXPORTS, START, CODE))

    assert wasm == module(TYPES, FUNCTIONS, (7, vector(ENTRY, name("f") + b"\0\0")), CODE)


def test_without_exports_the_start_section_makes_room_for_them() -> None:
    """Where the start section stood an export section stands, which is its right place."""
    wasm = defer_start(module(TYPES, FUNCTIONS, START, CODE))

    assert wasm == module(TYPES, FUNCTIONS, (7, vector(ENTRY)), CODE)


def test_a_start_function_has_no_parameters() -> None:
    """A start function of another type is refused: as an export it would pass the engine's check."""
    with pytest.raises(ModuleError) as caught:
        defer_start(module(TYPES, FUNCTIONS, (8, b"\x01"), CODE))

    assert str(caught.value) == "module has a start function of type (i32) -> (); expected () -> ()"


def test_the_name_of_the_export_is_kept() -> None:
    """A module may not bring an export of that name itself."""
    with pytest.raises(
        ModuleError, match=r"^module exports 'wasm-grpc:start', which is reserved; expected another name$"
    ):
        defer_start(module(TYPES, FUNCTIONS, (7, vector(ENTRY)), CODE))
