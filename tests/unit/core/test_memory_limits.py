"""Memory limits in native code, and the check of a module's initial memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm_grpc.core.errors import ModuleError
from wasm_grpc.core.memory_limits import MAX_MEMORY_BYTES, check_minimum, limit_in_code
from wasm_grpc.core.model import KIB, MIB, PAGE_BYTES

ANY_LIMIT = st.integers(1, MAX_MEMORY_BYTES // PAGE_BYTES).map(lambda pages: pages * PAGE_BYTES)


@given(memory_bytes=ANY_LIMIT)
def test_the_limit_in_code_is_the_functions_rounded_up(memory_bytes: int) -> None:
    """If the engine can't limit instances, the code's limit exceeds the function's by at most an eighth."""
    written = limit_in_code(memory_bytes, is_set_by_instance=False)

    assert memory_bytes <= written <= min(memory_bytes * 9 // 8, MAX_MEMORY_BYTES)
    assert written % PAGE_BYTES == 0


def test_similar_limits_share_native_code() -> None:
    """All limits from 257 MiB to 512 MiB need only eight compilations."""
    sizes = {limit_in_code(size * MIB, is_set_by_instance=False) // MIB for size in range(257, 513)}

    assert sizes == {288, 320, 352, 384, 416, 448, 480, 512}


@given(memory_bytes=ANY_LIMIT)
def test_all_limits_share_native_code_if_the_engine_limits_instances(memory_bytes: int) -> None:
    """The limit in the code is always the maximum."""
    assert limit_in_code(memory_bytes, is_set_by_instance=True) == MAX_MEMORY_BYTES


@pytest.mark.parametrize(
    ("minimum", "limit", "message"),
    [
        (80 * MIB, 64 * MIB, "module starts with 80 MiB of memory; expected at most 64 MiB (limits.memory)"),
        (
            128 * KIB,
            64 * KIB,
            "module starts with 128 KiB of memory; expected at most 64 KiB (limits.memory)",
        ),
    ],
)
def test_a_module_that_starts_with_too_much_memory_is_refused(minimum: int, limit: int, message: str) -> None:
    """The error names both figures and the manifest's key."""
    with pytest.raises(ModuleError) as caught:
        check_minimum(minimum, limit)

    assert str(caught.value) == message
