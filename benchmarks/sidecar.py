"""One sidecar on loopback: a daprd that the benchmark starts for an app, or for components alone."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import ROOT, ProgramError, program
from wasm_grpc.demo.children import free_ports
from wasm_grpc.demo.daprd import find_daprd

__all__ = ["Sidecar", "find_benchmark_daprd", "open_sidecar"]

_HOST = "127.0.0.1"
_READY_S = 120.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """
    A running daprd.

    Attributes:
        pid: Its process.
        address: ``host:port`` of its gRPC API.
        http_port: Port of its HTTP API.
    """

    pid: int
    address: str
    http_port: int
    _process: subprocess.Popen[str]
    _log: Path

    def wait_ready(self) -> None:
        """
        Wait until it has loaded its components and has found its app.

        Raises:
            ProgramError: It hasn't within two minutes, or has ended.
        """
        until = time.perf_counter() + _READY_S
        while not self._is_ready():
            if time.perf_counter() > until or self._process.poll() is not None:
                said = self._log.read_text("utf-8", "replace").splitlines() or ["it said nothing"]
                raise ProgramError(f"daprd: not ready: {said[-1]}")
            time.sleep(_POLL_S)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(_HOST, self.http_port, timeout=_READY_S)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/v1.0/healthz")
            return connection.getresponse().status == http.client.NO_CONTENT
        return False


def find_benchmark_daprd() -> str | None:
    """
    Return the path of daprd: ``DAPRD``, then the one that `tests/daprd/build` makes, then an installed one.
    """
    built = None if os.environ.get("DAPRD") else shutil.which(ROOT / ".tools" / "bin" / "daprd")
    return built or find_daprd()


@contextlib.contextmanager
def open_sidecar(
    daprd: str,
    app_id: str,
    address: str,
    *,
    folder: Path,
    flags: Mapping[str, object],
    env: Mapping[str, str] | None = None,
) -> Iterator[Sidecar]:
    """
    Run the sidecar of an app until the end.

    Args:
        daprd: The program's path.
        app_id: The app's id.
        address: Of the app's server; "" without an app.
        folder: Gets its log.
        flags: Further flags, without their dashes.
        env: Further variables.
    """
    http_port, grpc_port, internal_port = free_ports(3)
    flags = {
        "app-id": app_id,
        "app-protocol": "grpc",
        **({"app-port": address.rpartition(":")[2]} if address else {}),
        "dapr-http-port": http_port,
        "dapr-grpc-port": grpc_port,
        "dapr-internal-grpc-port": internal_port,
        "dapr-listen-addresses": _HOST,
        "dapr-internal-grpc-listen-address": _HOST,
        "enable-metrics": "false",
        "log-level": "error",
        **flags,
    }
    command = [daprd, *(f"--{flag}={value}" for flag, value in flags.items())]
    log = folder / f"{app_id}.log"
    # Not told its address, daprd asks the network for one, and ends where there is only loopback.
    env = {"DAPR_HOST_IP": _HOST, **(env or {})}
    with log.open("wb") as file, program(command, stdout=file, stderr=file, env=env) as process:
        yield Sidecar(
            pid=process.pid,
            address=f"{_HOST}:{grpc_port}",
            _process=process,
            http_port=http_port,
            _log=log,
        )
