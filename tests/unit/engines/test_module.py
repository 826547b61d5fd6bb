"""What is read from a binary, and what is refused."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.engines.binaries import HEADER, limits, module, name, vector
from wasm_grpc.core.errors import ModuleError
from wasm_grpc.engines.binary import (
    Export,
    ExternKind,
    Import,
    MemoryType,
    TableType,
    read_module,
)
from wasm_grpc.engines.fake import write_fake
from wasm_grpc.engines.protocol import FuncType

PLAIN = b"\x60\0\0"
BINARY = b"\x60\x02\x7f\x7e\x01\x7d"
BINARY_TYPE = FuncType(("i32", "i64"), ("f32",))


def test_imports_are_read_in_order() -> None:
    """Functions come with their types, other imports with their kinds."""
    wasm = module(
        (1, vector(PLAIN, BINARY)),
        (
            2,
            vector(
                name("env") + name("f") + b"\0\x01",
                name("env") + name("table") + b"\x01\x70" + limits(1),
                name("env") + name("memory") + b"\x02" + limits(1, 2),
                name("env") + name("global") + b"\x03\x7f\x00",
                name("env") + name("tag") + b"\x04\x00\x00",
                name("env") + name("f") + b"\0\x00",
            ),
        ),
    )

    assert read_module(wasm).imports == (
        Import(module="env", name="f", kind=ExternKind.FUNC, type=BINARY_TYPE),
        Import(module="env", name="table", kind=ExternKind.TABLE),
        Import(
            module="env",
            name="memory",
            kind=ExternKind.MEMORY,
            memory=MemoryType(min_pages=1, max_pages=2),
        ),
        Import(module="env", name="global", kind=ExternKind.GLOBAL),
        Import(module="env", name="tag", kind=ExternKind.TAG),
        Import(module="env", name="f", kind=ExternKind.FUNC, type=FuncType(())),
    )


def test_exports_have_the_types_of_imported_and_own_functions() -> None:
    """Function indices count the imported functions first."""
    wasm = module(
        (1, vector(PLAIN, BINARY)),
        (2, vector(name("env") + name("f") + b"\0\x01")),
        (3, vector(b"\0")),
        (5, vector(limits(2, 3))),
        (7, vector(name("a") + b"\0\0", name("b") + b"\0\x01", name("memory") + b"\x02\0")),
    )

    found = read_module(wasm)

    assert found.exports == (
        Export(name="a", kind=ExternKind.FUNC, index=0, type=BINARY_TYPE),
        Export(name="b", kind=ExternKind.FUNC, index=1, type=FuncType(())),
        Export(name="memory", kind=ExternKind.MEMORY, index=0),
    )
    assert found.export("b") is found.exports[1]
    assert found.export("c") is None


def test_memories_and_tables_have_their_limits() -> None:
    """Limits are read with and without a maximum, and with the flags of newer features."""
    wasm = module(
        (4, vector(b"\x70" + limits(3), b"\x6f" + limits(1, 9))),
        (
            5,
            vector(
                limits(2), limits(1, 65536), b"\x03\x01\x02", b"\x04\x80\x80\x80\x80\x80\x01", b"\x08\x01\x00"
            ),
        ),
    )

    found = read_module(wasm)

    assert found.tables == (
        TableType(element=b"\x70", min_elements=3),
        TableType(element=b"\x6f", min_elements=1, max_elements=9),
    )
    assert found.memories == (
        MemoryType(min_pages=2),
        MemoryType(min_pages=1, max_pages=65536),
        MemoryType(min_pages=1, max_pages=2, is_shared=True),
        MemoryType(min_pages=1 << 35, is_64=True),
        MemoryType(min_pages=1, has_page_size=True),
    )


@pytest.mark.parametrize(
    ("start", "expected"),
    [(((8, b"\0"),), (True, FuncType(()))), ((), (False, None))],
    ids=["with", "without"],
)
def test_a_start_function_is_told(
    start: tuple[tuple[int, bytes], ...], expected: tuple[bool, object]
) -> None:
    """A start section is found, with its function's type."""
    found = read_module(module((1, vector(PLAIN)), (3, vector(b"\0")), *start))

    assert (found.has_start, found.start_type) == expected


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(b"\x5f\x02\x7f\x01\x78\x00", id="struct"),
        pytest.param(b"\x5e\x77\x01", id="array"),
        pytest.param(b"\x50\x00\x5f\x00", id="sub"),
        pytest.param(b"\x4f\x01\x00\x60\x00\x00", id="final-sub"),
    ],
)
def test_types_of_garbage_collection_are_passed_over(form: bytes) -> None:
    """Function types beside struct and array types keep their indices."""
    wasm = module((1, vector(form, BINARY)), (2, vector(name("env") + name("f") + b"\0\x01")))

    assert read_module(wasm).imports[0].type == BINARY_TYPE


def test_recursive_types_count_one_by_one() -> None:
    """Each type of a recursion group has an index of its own."""
    wasm = module(
        (1, vector(b"\x4e" + vector(b"\x5f\x00", PLAIN), BINARY)),
        (2, vector(name("env") + name("f") + b"\0\x02")),
    )

    assert read_module(wasm).imports[0].type == BINARY_TYPE


def test_references_are_named() -> None:
    """Reference types have a name in a function's type, so that they can be told to a person."""
    wasm = module(
        (1, vector(b"\x60\x04\x70\x6f\x63\x70\x64\x05\x00")), (2, vector(name("env") + name("f") + b"\0\0"))
    )

    assert str(read_module(wasm).imports[0].type) == "(funcref, externref, (ref null funcref), (ref 5)) -> ()"


def test_an_unknown_form_of_type_hides_types_only() -> None:
    """Where the type section can't be read, imports and exports still have their names."""
    wasm = module((1, vector(b"\x40\xff\xff")), (2, vector(name("env") + name("f") + b"\0\0")))

    assert read_module(wasm).imports == (Import(module="env", name="f", kind=ExternKind.FUNC),)


HUGE = b"\xff\xff\xff\xff\x0f"


@pytest.mark.parametrize(
    ("wasm", "message"),
    [
        pytest.param(b"", "module is empty; expected a WebAssembly core module", id="empty"),
        pytest.param(
            b"\n (module)",
            "module is WebAssembly text; expected a WebAssembly core module (wat2wasm makes one)",
            id="text",
        ),
        pytest.param(
            b"\x7fELF\x02\x01\x01",
            "module is not WebAssembly, it begins with b'\\x7fELF'; expected a WebAssembly core module",
            id="elf",
        ),
        pytest.param(
            HEADER[:6],
            "module is cut off at byte 6; expected a WebAssembly core module",
            id="half-a-header",
        ),
        pytest.param(
            b"\0asm\x0d\0\x01\0",
            "module is a component; expected a WebAssembly core module: "
            "build it for WASI preview 1, target wasm32-wasip1",
            id="component",
        ),
        pytest.param(b"\0asm\x02\0\0\0", "module has version 2; expected version 1", id="version"),
        pytest.param(
            HEADER + b"\x01\x05\x01",
            "module is cut off or damaged at byte 11; expected a valid module",
            id="cut-off-section",
        ),
        pytest.param(
            module((2, b"\x01\x05ab")),
            "module is cut off or damaged at byte 14; expected a valid module",
            id="cut-off-name",
        ),
        pytest.param(
            module((2, vector(name("a") + b"\x01\xff\0\0"))),
            "module has a name that is not UTF-8; expected a valid module",
            id="name",
        ),
        pytest.param(
            HEADER + b"\x01\x80\x80\x80\x80\x80\x00",
            "module has an overlong integer before byte 14; expected a valid module",
            id="overlong",
        ),
        pytest.param(
            HEADER + b"\x01\xff\xff\xff\xff\x1f",
            "module has an overlong integer before byte 14; expected a valid module",
            id="over-32-bits",
        ),
        pytest.param(
            module((3, HUGE)),
            "module has 4294967295 functions; expected at most 1000000",
            id="huge-count",
        ),
        pytest.param(
            module((2, vector(name("a") + name("b") + b"\x05\0"))),
            "module has an import or export of unknown kind 5; expected 0 to 4",
            id="kind",
        ),
        pytest.param(
            module((3, vector(b"\x07"))), "module refers to type 7 of 0; expected a valid module", id="type"
        ),
        pytest.param(
            module((7, vector(name("f") + b"\0\x02"))),
            "module refers to function 2 of 0; expected a valid module",
            id="function",
        ),
        pytest.param(
            module((5, vector(b"\x10\x00"))),
            "module has limits of an unknown form, 0x10; expected at most 0x0f",
            id="limits",
        ),
        pytest.param(
            module((5, vector()), (5, vector())),
            "module has section 5 twice; expected a valid module",
            id="twice",
        ),
    ],
)
def test_what_is_no_module_is_refused(wasm: bytes, message: str) -> None:
    """Each kind of damage has its sentence."""
    with pytest.raises(ModuleError) as caught:
        read_module(wasm)

    assert str(caught.value) == message


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(content: bytes) -> None:
    """Whatever follows a right header, reading ends with a module or with `ModuleError`."""
    with contextlib.suppress(ModuleError):
        read_module(HEADER + content)


@given(st.data())
def test_no_damage_raises_anything_else(draw: st.DataObject) -> None:
    """A real module with some bytes changed or cut off is read, or refused with `ModuleError`."""
    wasm = bytearray(write_fake("echo"))
    for place in draw.draw(st.lists(st.integers(8, len(wasm) - 1), max_size=4)):
        wasm[place] = draw.draw(st.integers(0, 255))

    with contextlib.suppress(ModuleError):
        read_module(bytes(wasm[: draw.draw(st.integers(0, len(wasm)))]))
