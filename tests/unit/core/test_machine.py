"""The memory of a machine or container."""

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
            id="a group outside the mount",
        ),
    ],
)
def test_the_smallest_limit_counts(tmp_path: Path, files: dict[str, str], expected: int | None) -> None:
    """The result is the machine's memory, or the lowest limit of this process's control groups."""
    assert machine_memory_bytes(write(tmp_path, files)) == expected


def test_the_memory_of_this_machine_is_plausible() -> None:
    """If it is known, it is more than 64 MiB."""
    found = machine_memory_bytes()

    assert found is None or found > 64 * MIB
