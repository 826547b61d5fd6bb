"""Secrets in the environment of functions, from a secret store behind a real sidecar."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import resource
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from integration.commands import run_command
from integration.guests import write_function
from integration.processes import busy_worker
from rig import Child, Daprd, child, free_port, installed_command
from rig.environment import clean_environment

pytestmark = pytest.mark.asyncio

START_TIMEOUT_S = 30
SECRET = "hidden-5309-value"
LARGE_CORES = ("prlimit", f"--core={resource.getrlimit(resource.RLIMIT_CORE)[1]}")
"""Before a command that may leave a core file of the largest size that this machine allows."""
ENV = """
[env]
LOG = "info"
DB_URL = { secret = "vault/DB_URL" }
AGAIN = { secret = "vault/DB_URL" }
"""


def write_store(resources: Path, secrets: Mapping[str, str]) -> None:
    """Write a secret store into a sidecar's resources."""
    file = resources.parent / "secrets.json"
    file.write_text(json.dumps(secrets))
    resources.mkdir(exist_ok=True)
    component = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "vault"},
        "spec": {
            "type": "secretstores.local.file",
            "version": "v1",
            "metadata": [{"name": "secretsFile", "value": str(file)}],
        },
    }
    (resources / "vault.yaml").write_text(json.dumps(component))


def sidecar_of(folder: Path) -> Daprd:
    """Return the app's sidecar, not started yet."""
    resources = folder / "resources"
    resources.mkdir(exist_ok=True)
    return Daprd(app_id="secrets", folder=folder, app_port=free_port(), resources=resources)


def command(functions: Path, sidecar: Daprd) -> tuple[str | Path, ...]:
    """Return the command line of a server."""
    return (installed_command(), "serve", functions, "--port", str(sidecar.app_port))


async def serving(server: Child) -> None:
    """Wait until a server serves."""
    await server.line("^serving ", timeout_s=START_TIMEOUT_S)


def places_of(process: int) -> Iterator[Path]:
    """Yield the directory in /proc of a process, and of each that descends from it."""
    pids = [process]
    while pids:
        place = Path(f"/proc/{pids.pop()}")
        yield place
        # A worker may end meanwhile.
        with contextlib.suppress(OSError):
            for children in place.glob("task/*/children"):
                pids += map(int, children.read_text().split())


def traces_of(process: int) -> str:
    """Return the command lines and environments of a process and of all that descend from it."""
    text = ""
    for place in places_of(process):
        with contextlib.suppress(OSError):
            text += (place / "cmdline").read_text() + (place / "environ").read_text()
    return text


def core_limits_of(process: int) -> set[str]:
    """Return the sizes that core files of a process, and of all that descend from it, may have."""
    found = set()
    for place in places_of(process):
        with contextlib.suppress(OSError):
            (limit,) = re.findall(r"^Max core file size +(\S+)", (place / "limits").read_text(), re.MULTILINE)
            found.add(limit)
    return found


async def test_secrets_reach_their_function_alone(tmp_path: Path, engine: str) -> None:
    """They are in its environment, and in no other; not in logs, command lines, other environments, the cache and core files."""
    functions, cache = tmp_path / "functions", tmp_path / "cache"
    write_function(functions, "environment", sections=ENV)
    write_function(functions, "other", guest="environment")
    write_function(functions, "trap", sections=ENV)
    write_function(functions, "spin", sections=f'{ENV}[limits]\ntimeout = "200ms"')
    write_function(functions, "crash", guest="spin", sections=f'{ENV}[limits]\ntimeout = "15s"')
    sidecar = sidecar_of(tmp_path)
    write_store(tmp_path / "resources", {"DB_URL": SECRET})
    env = {
        **sidecar.app_environment,
        "WASM_GRPC_CACHE_DIR": str(cache),
        "WASM_GRPC_LOG": "debug",
        "WASM_GRPC_DEBUG": "1",
    }
    async with (
        sidecar,
        child(
            *LARGE_CORES, *command(functions, sidecar), "--engine", engine, env=clean_environment(env)
        ) as server,
    ):
        await serving(server)
        await sidecar.app_ready()
        # First, while all workers are those of the start.
        crashing = asyncio.ensure_future(sidecar.invoke("secrets", "crash"))
        os.kill(await busy_worker(server.pid), signal.SIGKILL)
        crashed = await crashing
        granted, other, trapped, slow = [
            await sidecar.invoke("secrets", name) for name in ("environment", "other", "trap", "spin")
        ]
        traces = await asyncio.to_thread(traces_of, server.pid)
        cores = await asyncio.to_thread(core_limits_of, server.pid)
        logged = "\n".join([*server.stdout.lines, *server.stderr.lines])

    variables = dict(line.split("=", 1) for line in granted.body.decode().rstrip("\0").split("\0"))
    assert [variables[name] for name in ("LOG", "DB_URL", "AGAIN")] == ["info", SECRET, SECRET]
    assert (other.status, trapped.status, slow.status) == (200, 500, 504)
    assert b"its worker died" in crashed.body
    assert SECRET.encode() not in other.body + trapped.body + slow.body + crashed.body
    assert "function 'environment' has secrets in its environment: DB_URL, AGAIN" in logged
    assert SECRET not in logged + traces
    assert cores == {"0"}
    assert str(sidecar.grpc_port) in traces
    artifacts = [path for path in cache.rglob("*") if path.is_file()]
    assert artifacts
    assert not [path for path in artifacts if SECRET.encode() in path.read_bytes()]
    listed = await asyncio.to_thread(run_command, "list", functions, "--json", env=env)
    assert b"vault/DB_URL" in listed.stdout
    assert SECRET.encode() not in listed.stdout
    checked = await asyncio.to_thread(run_command, "check", functions, env=env)
    assert b"vault/DB_URL" in checked.stdout
    assert SECRET not in f"{checked.stdout!r} {checked.errors}"


async def test_a_secret_that_is_missing(tmp_path: Path, cache_environment: dict[str, str]) -> None:
    """The server says which, for each function, and ends with the code of a wrong configuration."""
    functions = tmp_path / "functions"
    write_function(
        functions, "echo", sections='[env]\nA = { secret = "vault/NO" }\nB = { secret = "vault/YES" }'
    )
    write_function(functions, "trap", sections='[env]\nC = { secret = "vault/YES", key = "user" }')
    sidecar = sidecar_of(tmp_path)
    write_store(tmp_path / "resources", {"YES": SECRET})

    async with sidecar:
        env = {**cache_environment, **sidecar.app_environment}
        ended = await asyncio.to_thread(run_command, "serve", functions, "--port", "0", env=env)

    assert (ended.code, ended.stdout) == (2, b"")
    assert ended.errors[-2:] == [
        "echo/function.toml: env.A: secret 'vault/NO' can't be read: INTERNAL: failed getting secret with key NO "
        "from secret store vault: secret NO not found; expected one that the sidecar can read",
        "trap/function.toml: env.C: secret 'vault/YES' has no entry 'user'; expected 'YES'",
    ]
    assert SECRET not in "\n".join(ended.errors)


async def test_a_server_without_a_sidecar(tmp_path: Path, cache_environment: dict[str, str]) -> None:
    """It can't be served, and `check` says what it needs; the module is right."""
    functions = tmp_path / "functions"
    write_function(functions, "echo", sections='[env]\nA = { secret = "vault/NO" }')

    ended = await asyncio.to_thread(
        run_command, "serve", functions, "--port", "0", env=clean_environment(cache_environment)
    )
    checked = await asyncio.to_thread(
        run_command, "check", functions, env=clean_environment(cache_environment)
    )

    assert (ended.code, ended.errors[-1]) == (
        2,
        "echo/function.toml: env.A: secret 'vault/NO' can't be read without a sidecar; "
        "expected its address in DAPR_GRPC_ENDPOINT or DAPR_GRPC_PORT",
    )
    lines = checked.stdout.decode().splitlines()
    assert "note: echo/function.toml: env.A: `serve` reads it from secret 'vault/NO' of its sidecar" in lines
    assert checked.code == 0


async def test_a_sidecar_and_a_store_that_come_late(
    tmp_path: Path, cache_environment: dict[str, str]
) -> None:
    """The server waits for the sidecar, and then for the store, which the sidecar gets while it runs."""
    functions = tmp_path / "functions"
    write_function(functions, "environment", sections=ENV)
    sidecar = sidecar_of(tmp_path)
    env = clean_environment({**cache_environment, **sidecar.app_environment})

    async with child(*command(functions, sidecar), env=env) as server:
        await asyncio.wait_for(server.stderr.match("waiting for the sidecar"), START_TIMEOUT_S)
        async with sidecar:
            await asyncio.wait_for(server.stderr.match("waiting for secret store 'vault'"), START_TIMEOUT_S)
            await asyncio.to_thread(write_store, tmp_path / "resources", {"DB_URL": SECRET})
            await serving(server)
            await sidecar.app_ready()
            reply = await sidecar.invoke("secrets", "environment")

    assert f"DB_URL={SECRET}".encode() in reply.body


async def test_a_store_that_never_comes(tmp_path: Path, cache_environment: dict[str, str]) -> None:
    """When the wait is over, the server says which secret it misses."""
    functions = tmp_path / "functions"
    write_function(functions, "echo", sections='[env]\nA = { secret = "vault/A" }')
    sidecar = sidecar_of(tmp_path)

    async with sidecar:
        env = {**cache_environment, **sidecar.app_environment, "WASM_GRPC_SIDECAR_WAIT_S": "1"}
        ended = await asyncio.to_thread(run_command, "serve", functions, "--port", "0", env=env)

    assert (ended.code, ended.errors[-1]) == (
        2,
        "echo/function.toml: env.A: secret 'vault/A' can't be read: FAILED_PRECONDITION: secret store is not "
        "configured; expected one that the sidecar can read",
    )
