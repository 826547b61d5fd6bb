"""The server's settings: one flat, frozen object that is checked once."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.model import MIB

__all__ = ["ENGINES", "Settings", "make_settings"]

ENGINES = ("auto", "wasmer", "wasmtime")
"""What ``engine`` may be."""

_MOST_PROCESSES = 4096
_PROCESSES_PER_SLOT = 16
"""Default of `max_workers`: a forked process takes some 3 MiB of its own, and a slow stream needs one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    All settings of a server. Made by `make_settings`.

    Attributes:
        host: Address to listen on.
        port: TCP port; 0 means any free one.
        engine: "auto", "wasmer" or "wasmtime". A name overrides the manifests.
        workers: Number of run slots, which is how many guests compute at once. Default: one for each core.
        max_workers: Limit on worker processes. Default: 16 for each run slot.
        worker_python: Interpreter of the workers. If empty, one is searched for.
        only: Names of the functions to serve. If empty, all are served.
        routes: Additional routes, each ``METHOD=NAME``.
        drain_s: Time for running invocations after SIGTERM, in seconds.
        cache_dir: Folder of the artifact cache. If empty, the user's cache folder.
        compile_s: Limit on the wall time of one compile process, in seconds.
        compile_bytes: Limit on the writable memory of one compile process.
        worker_bytes: Memory of a worker besides what its functions' limits and native code need.
        require_sandbox: Whether to refuse to serve if the kernel lacks a wall around workers.
        app_api_token: Token that daprd must send (``APP_API_TOKEN``). If empty, none is required.
        reflection: Whether to describe the services to clients (gRPC server reflection).
        event_token: Whether events need the token too. Daprd before 1.16.2 sends none with them.
        dapr_grpc_endpoint: Address of the sidecar's gRPC API (``DAPR_GRPC_ENDPOINT``, or
            ``DAPR_GRPC_PORT`` on this machine). If empty, there is no sidecar.
        dapr_api_token: Token that the sidecar requires (``DAPR_API_TOKEN``).
        app_id: Name of this app in Dapr (``APP_ID``). If empty, the sidecar is asked.
        sidecar_wait_s: Longest wait for the sidecar at the start, if something needs it, in seconds.
    """

    host: str = "127.0.0.1"
    port: int = 50051
    engine: str = "auto"
    workers: int
    max_workers: int
    worker_python: str = ""
    only: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    drain_s: float = 4.0
    cache_dir: str = ""
    compile_s: float = 60.0
    compile_bytes: int = 2048 * MIB
    worker_bytes: int = 512 * MIB
    require_sandbox: bool = False
    app_api_token: str = ""
    event_token: bool = True
    reflection: bool = False
    dapr_grpc_endpoint: str = ""
    dapr_api_token: str = ""
    app_id: str = ""
    sidecar_wait_s: float = 60.0


def make_settings(values: Mapping[str, Any]) -> Settings:
    """
    Return settings with these values, and with defaults that depend on other settings and on this machine.

    Args:
        values: Values by name. They must have the right types.

    Raises:
        ConfigError: A value is out of its range, or a setting does not exist.
    """
    unknown = set(values) - {field.name for field in fields(Settings)}
    if unknown:
        raise ConfigError(f"{min(unknown)}: unknown setting; expected a field of Settings")
    workers = values.get("workers", _cores())
    settings = Settings(
        **{
            **values,
            "workers": workers,
            "max_workers": values.get("max_workers", min(_PROCESSES_PER_SLOT * workers, _MOST_PROCESSES)),
        }
    )
    _expect(0 <= settings.port <= 65535, "port", settings.port, "0 to 65535")
    _expect(settings.engine in ENGINES, "engine", settings.engine, f"one of {', '.join(ENGINES)}")
    _expect(1 <= settings.workers <= 1024, "workers", settings.workers, "1 to 1024")
    _expect(
        settings.workers <= settings.max_workers <= _MOST_PROCESSES,
        "max_workers",
        settings.max_workers,
        f"{settings.workers} (the run slots) to {_MOST_PROCESSES}",
    )
    _expect(0 <= settings.drain_s < math.inf, "drain", settings.drain_s, "0 s or more")
    _expect(0 < settings.compile_s < math.inf, "compile_s", settings.compile_s, "a time over 0 s")
    _expect(settings.compile_bytes >= 64 * MIB, "compile_bytes", settings.compile_bytes, "64 MiB or more")
    _expect(0 <= settings.sidecar_wait_s < math.inf, "sidecar_wait_s", settings.sidecar_wait_s, "0 s or more")
    _expect(settings.worker_bytes >= 64 * MIB, "worker_bytes", settings.worker_bytes, "64 MiB or more")
    return settings


def _expect(holds: object, name: str, value: object, expected: str) -> None:
    if not holds:
        raise ConfigError(f"{name}: got {value}; expected {expected}")


def _cores() -> int:
    """
    Return the number of cores that this process may use. A container may have fewer than its machine.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
