"""10,000 changed inputs for each target of `make fuzz`: each is read, or refused as it should be."""

from __future__ import annotations

import pytest

from fuzz.fuzzing import fuzz, interpreter
from fuzz.targets import TARGETS
from rig import missing

__all__: list[str] = []

COUNT = 10_000
SEED = 20
ELSEWHERE = {"frames"}
"""`unit/core/test_wire_messages.py` changes as many."""


@pytest.mark.timeout(120)  # a busy machine; each takes some seconds on an idle one
@pytest.mark.parametrize("name", sorted(TARGETS.keys() - ELSEWHERE))
def test_changed_inputs(name: str) -> None:
    """No input crashes or hangs its reader, or is refused in any other way than by one printable line."""
    if interpreter(TARGETS[name].engine) is None:
        missing(
            f"{TARGETS[name].engine}: no interpreter for it; `make setup` makes .venv-wasmer with a CPython 3.10"
        )

    found = fuzz(name, seed=SEED, count=COUNT)

    assert found.problem == "", str(found)
    assert found.count == COUNT
