"""What is known of the machine's memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasm_grpc.core.machine import machine_memory_bytes
from wasm_grpc.core.model import GIB, KIB, MIB

MEMINFO = f"MemTotal:       {8 * GIB // KIB} kB\nMemFree:        1 kB\n"


def write(root: Path, files: dict[str, str]) -> Path:
    """Write files below a root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, None, id="nothing is known"),
        pytest.param({"proc/meminfo": MEMINFO}, 8 * GIB, id="a machine"),
        pytest.param({"proc/meminfo": "MemTotal: many\n"}, None, id="another format"),
        pytest.param(
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/memory.max": f"{512 * MIB}\n",
            },
            512 * MIB,
            id="a container",
        ),
        pytest.param(
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "1:name=systemd:/\n0::/app/server\n",
                "sys/fs/cgroup/app/server/memory.max": "max\n",
                "sys/fs/cgroup/app/memory.max": f"{2 * GIB}\n",
            },
            2 * GIB,
            id="a group above",
        ),
        pytest.param(
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "0::/../../outside\n",
                "sys/fs/cgroup/memory.max": f"{64 * GIB}\n",
            },
            8 * GIB,
            id="a group that is not seen from here",
        ),
    ],
)
def test_the_smallest_limit_counts(tmp_path: Path, files: dict[str, str], expected: int | None) -> None:
    """The machine's memory, or what its control groups leave of it."""
    assert machine_memory_bytes(write(tmp_path, files)) == expected


def test_this_machine_is_known() -> None:
    """Where the tests run there is at least so much."""
    found = machine_memory_bytes()

    assert found is None or found > 64 * MIB
