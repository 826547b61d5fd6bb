"""The limits that are written into modules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unit.engines.binaries import limits, module, vector
from wasm_grpc.core.errors import ModuleError, UnsupportedModuleError
from wasm_grpc.core.model import KIB, MIB, PAGE_BYTES
from wasm_grpc.engines.binary import MemoryType, TableType, read_module
from wasm_grpc.engines.limits import write_limits


def _memories(*memories: bytes) -> bytes:
    return module((5, vector(*memories)))


@pytest.mark.parametrize(
    ("given_max", "memory_bytes", "expected"),
    [
        pytest.param(None, MIB, 16, id="open"),
        pytest.param(4, MIB, 4, id="below"),
        pytest.param(65_536, MIB, 16, id="above"),
        pytest.param(None, 4096 * MIB, 65_535, id="four-gib"),
        pytest.param(None, MIB + 100, 16, id="not-whole-pages"),
    ],
)
def test_a_memory_gets_the_lower_maximum(given_max: int | None, memory_bytes: int, expected: int) -> None:
    """The module's own maximum stays where it is lower; 65,535 pages are the most."""
    wasm = write_limits(_memories(limits(2, given_max)), memory_bytes=memory_bytes)

    assert read_module(wasm).memories == (MemoryType(min_pages=2, max_pages=expected),)


@pytest.mark.parametrize(
    ("pages", "memory_bytes", "message"),
    [
        (1280, 64 * MIB, "module starts with 80 MiB of memory; expected at most 64 MiB (limits.memory)"),
        (2, 64 * KIB, "module starts with 128 KiB of memory; expected at most 64 KiB (limits.memory)"),
        (
            65_536,
            8192 * MIB,
            "module starts with 4096 MiB of memory; expected at most 4194240 KiB (limits.memory)",
        ),
    ],
)
def test_a_minimum_above_the_limit_is_refused(pages: int, memory_bytes: int, message: str) -> None:
    """The error names both figures and the manifest's key."""
    with pytest.raises(ModuleError) as caught:
        write_limits(_memories(limits(pages)), memory_bytes=memory_bytes)

    assert str(caught.value) == message


def test_a_minimum_at_the_limit_is_taken() -> None:
    """A memory that begins at its limit can't grow, and is allowed."""
    wasm = write_limits(_memories(limits(16)), memory_bytes=MIB)

    assert read_module(wasm).memories == (MemoryType(min_pages=16, max_pages=16),)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.none() | st.integers(0, 100)), max_size=5),
    st.integers(1, 20),
)
def test_memories_together_stay_below_the_limit(wanted: list[tuple[int, int | None]], limit_mib: int) -> None:
    """Of any memories the maxima together are within the limit, or the module is refused."""
    memories = [limits(low, None if more is None else low + more) for low, more in wanted]
    pages = limit_mib * MIB // PAGE_BYTES
    if sum(low for low, _ in wanted) > pages:
        with pytest.raises(ModuleError):
            write_limits(_memories(*memories), memory_bytes=limit_mib * MIB)
        return

    found = read_module(write_limits(_memories(*memories), memory_bytes=limit_mib * MIB)).memories

    assert sum(memory.max_pages or 0 for memory in found) <= pages
    assert [memory.min_pages for memory in found] == [low for low, _ in wanted]


def test_tables_share_their_limit() -> None:
    """Each table keeps its element type, and the room above their minima is shared out."""
    wasm = module((4, vector(b"\x70" + limits(4), b"\x6f" + limits(2, 3))))

    tables = read_module(write_limits(wasm, memory_bytes=MIB, table_elements=16)).tables

    assert tables == (
        TableType(element=b"\x70", min_elements=4, max_elements=9),
        TableType(element=b"\x6f", min_elements=2, max_elements=3),
    )


def test_a_table_above_the_limit_is_refused() -> None:
    """The error names both figures."""
    wasm = module((4, vector(b"\x70" + limits(17))))

    with pytest.raises(
        ModuleError, match=r"^module has tables of at least 17 elements; expected at most 16$"
    ):
        write_limits(wasm, memory_bytes=MIB, table_elements=16)


@pytest.mark.parametrize(
    ("section", "content", "message"),
    [
        (5, b"\x04\x01", "module has a 64-bit memory; expected a 32-bit memory"),
        (
            5,
            b"\x03\x01\x02",
            "module has a shared memory (threads); "
            "expected a build without threads: no -pthread, target wasm32-wasip1",
        ),
        (5, b"\x08\x01\x00", "module has a memory with its own page size; expected pages of 64 KiB"),
        (4, b"\x70\x04\x01", "module has a 64-bit table; expected a 32-bit table"),
        (
            4,
            b"\x40\x00\x70\x00\x01\xd0\x70\x0b",
            "module has a table with an initial value; expected a plain table",
        ),
    ],
    ids=["memory64", "shared", "page-size", "table64", "initialised-table"],
)
def test_what_no_limit_can_hold_is_unsupported(section: int, content: bytes, message: str) -> None:
    """Memories and tables of newer kinds are refused by name."""
    with pytest.raises(UnsupportedModuleError) as caught:
        write_limits(module((section, vector(content))), memory_bytes=MIB)

    assert str(caught.value) == message


def test_the_rest_of_the_module_stays() -> None:
    """Sections other than memory and table are copied byte by byte, custom ones too."""
    before, after = (0, b"\x01a first"), (0, b"\x01z last")

    wasm = write_limits(module(before, (5, vector(limits(1))), after), memory_bytes=MIB)

    assert wasm == module(before, (5, vector(limits(1, 16))), after)


def test_a_module_without_memory_stays_as_it_is() -> None:
    """Where there is nothing to limit nothing is changed."""
    wasm = module((1, vector(b"\x60\0\0")))

    assert write_limits(wasm, memory_bytes=0) == wasm
