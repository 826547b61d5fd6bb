"""A PostgreSQL server with its own port and folder, which holds one empty database."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.ports import HOST, free_port
from rig.processes import Child, child
from rig.skip import missing, need

__all__ = ["Postgres", "postgres"]

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "postgres"
START_TIMEOUT_S = 15.0
QUERY_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    port: int
    process: Child

    @property
    def connection(self) -> str:
        """A component's `connectionString`."""
        return f"host={HOST} port={self.port} user=postgres dbname=postgres sslmode=disable"

    async def run(self, sql: str) -> None:
        """Run statements past the sidecar."""
        await self._psql(sql)

    async def rows(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a query, asked past the sidecar."""
        text = await self._psql(f"SELECT coalesce(json_agg(each), '[]') FROM ({query}) AS each")  # noqa: S608
        rows: list[dict[str, Any]] = json.loads(text)
        return rows

    async def _psql(self, sql: str) -> str:
        psql = need(shutil.which("psql"), "no psql: Debian's package postgresql has it")
        command = [psql, "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-d", self.connection, "-c", sql]
        ended = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False, timeout=QUERY_TIMEOUT_S
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@asynccontextmanager
async def postgres(*, port: int = 0) -> AsyncIterator[Postgres]:
    """Run PostgreSQL, by default on a free port; skip the test if it is not installed."""
    found = await asyncio.to_thread(subprocess.run, [SCRIPT], capture_output=True, text=True, check=False)
    if found.returncode:
        missing(found.stderr.strip())
    port = port or free_port()
    # Not below pytest's folder: root's tests run the server as a user who can't read that.
    with tempfile.TemporaryDirectory(prefix="wasm-grpc-postgres-") as folder:
        async with child(SCRIPT, str(port), folder) as process:
            ready = process.stderr.match("database system is ready to accept connections")
            try:
                await asyncio.wait_for(ready, START_TIMEOUT_S)
            except (asyncio.TimeoutError, EOFError):
                raise process.failed("isn't ready; expected it to accept connections") from None
            try:
                yield Postgres(port, process)
            finally:
                # SIGTERM, which ends every child, would wait for clients to leave.
                process.signal(signal.SIGINT)
