"""Settings: what is filled in, and the one line for each value out of its range."""

from __future__ import annotations

import math

import pytest

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.model import MIB
from wasm_grpc.core.settings import make_settings


def test_workers_follow_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default is one run slot for each core that this process may use, and 16 processes for each slot."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 3, 5}, raising=False)

    settings = make_settings({})

    assert (settings.workers, settings.max_workers) == (3, 48)


def test_max_workers_follow_the_workers() -> None:
    """The default is 16 processes for each run slot, however many cores the machine has, up to the limit."""
    assert make_settings({"workers": 5}).max_workers == 80
    assert make_settings({"workers": 300}).max_workers == 4096


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"port": -1}, "port: got -1; expected 0 to 65535"),
        ({"port": 65536}, "port: got 65536; expected 0 to 65535"),
        ({"engine": "v8"}, "engine: got v8; expected one of auto, wasmer, wasmtime"),
        ({"workers": 0}, "workers: got 0; expected 1 to 1024"),
        ({"workers": 1025}, "workers: got 1025; expected 1 to 1024"),
        ({"workers": 3, "max_workers": 2}, "max_workers: got 2; expected 3 (the run slots) to 4096"),
        ({"workers": 3, "max_workers": 0}, "max_workers: got 0; expected 3 (the run slots) to 4096"),
        ({"workers": 1, "max_workers": 5000}, "max_workers: got 5000; expected 1 (the run slots) to 4096"),
        ({"drain_s": -0.1}, "drain: got -0.1; expected 0 s or more"),
        ({"drain_s": math.nan}, "drain: got nan; expected 0 s or more"),
        ({"drain_s": math.inf}, "drain: got inf; expected 0 s or more"),
        ({"compile_s": 0.0}, "compile_s: got 0.0; expected a time over 0 s"),
        ({"compile_bytes": MIB}, "compile_bytes: got 1048576; expected 64 MiB or more"),
        ({"worker_bytes": MIB}, "worker_bytes: got 1048576; expected 64 MiB or more"),
        ({"colour": 1, "shape": 2}, "colour: unknown setting; expected a field of Settings"),
    ],
)
def test_a_value_out_of_its_range(values: dict[str, object], error: str) -> None:
    """The error is one line that names the setting, the value and what was expected."""
    with pytest.raises(ConfigError) as caught:
        make_settings(values)

    assert str(caught.value) == error
