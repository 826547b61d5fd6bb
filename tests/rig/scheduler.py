"""Dapr's scheduler, which keeps the jobs of sidecars."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rig.environment import clean_environment
from rig.ports import HOST, free_port
from rig.processes import child
from rig.skip import need

__all__ = ["find_scheduler", "scheduler"]

REPOSITORY = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 20.0


def find_scheduler() -> Path | None:
    """Return the scheduler to run: this repository's build, or the Dapr CLI's."""
    candidates = [REPOSITORY / ".tools" / "bin" / "scheduler", Path.home() / ".dapr" / "bin" / "scheduler"]
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


@asynccontextmanager
async def scheduler(folder: Path, *, port: int = 0) -> AsyncIterator[int]:
    """
    Run a scheduler and yield its port; skip the test if there is none.

    It keeps its jobs in `folder`, so that one that is started there again has them.
    """
    binary = need(find_scheduler(), "no scheduler: `tests/daprd/build scheduler` makes one with Go")
    port = port or free_port()
    flags = {
        "port": port,
        "listen-address": HOST,
        "healthz-port": free_port(),
        "etcd-data-dir": folder / "scheduler",
        "etcd-client-port": free_port(),
        "etcd-client-listen-address": HOST,
        "etcd-initial-cluster": f"dapr-scheduler-server-0=http://{HOST}:{free_port()}",
        "override-broadcast-host-port": f"{HOST}:{port}",
        "workers": 16,
        "enable-metrics": "false",
    }
    command = [f"--{flag}={value}" for flag, value in flags.items()]
    async with child(binary, *command, env=clean_environment({})) as process:
        await process.line("Cron is ready", timeout_s=START_TIMEOUT_S)
        yield port
