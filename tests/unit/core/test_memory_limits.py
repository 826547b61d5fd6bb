"""How a limit on memory reaches the guest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm_grpc.core.errors import ModuleError
from wasm_grpc.core.memory_limits import MAX_MEMORY_BYTES, check_minimum, limit_in_code
from wasm_grpc.core.model import KIB, MIB, PAGE_BYTES

ANY_LIMIT = st.integers(1, MAX_MEMORY_BYTES // PAGE_BYTES).map(lambda pages: pages * PAGE_BYTES)


@given(memory_bytes=ANY_LIMIT)
def test_code_for_an_engine_without_limits_of_instances_has_few_sizes(memory_bytes: int) -> None:
    """The limit is kept, or more by an eighth at most, in whole pages."""
    written = limit_in_code(memory_bytes, is_set_by_instance=False)

    assert memory_bytes <= written <= min(memory_bytes * 9 // 8, MAX_MEMORY_BYTES)
    assert written % PAGE_BYTES == 0


def test_a_size_near_another_shares_its_code() -> None:
    """The sizes between 256 MiB and 512 MiB are eight."""
    sizes = {limit_in_code(size * MIB, is_set_by_instance=False) // MIB for size in range(257, 513)}

    assert sizes == {288, 320, 352, 384, 416, 448, 480, 512}


@given(memory_bytes=ANY_LIMIT)
def test_code_for_an_engine_that_limits_instances_is_the_same_for_all(memory_bytes: int) -> None:
    """The code has no limit of its own but the largest."""
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
def test_a_minimum_above_the_limit_is_refused(minimum: int, limit: int, message: str) -> None:
    """The error names both figures and the manifest's key."""
    with pytest.raises(ModuleError) as caught:
        check_minimum(minimum, limit)

    assert str(caught.value) == message
