"""`wasm-grpc run --dapr --grant …`: a program that is run by hand calls Dapr through a real sidecar."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from end_to_end.dapr_app import STATE, DaprApp, run_dapr_app, write_caller
from integration.commands import Ended, run_command

__all__ = ["app"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

GET = b"json GetState\n" + json.dumps({"storeName": STATE, "key": "orders-1"}).encode()
SAVE = (
    b"json SaveState\n"
    + json.dumps(
        {"storeName": STATE, "states": [{"key": "orders-1", "value": base64.b64encode(b"by hand").decode()}]}
    ).encode()
)


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A function, whose module is run by hand."""
    folder = tmp_path_factory.mktemp("run") / "functions"
    write_caller(folder, "caller", f'state = ["{STATE}/orders-*"]')
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(
    functions: Path, cache_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[DaprApp]:
    """A sidecar with a state store."""
    folder = tmp_path_factory.mktemp("dapr-run")
    async with run_dapr_app(functions, folder, "--engine", "wasmtime", env=cache_environment) as running:
        yield running


async def run(
    app: DaprApp, functions: Path, engine: str, stdin: bytes, *flags: str, env: dict[str, str]
) -> Ended:
    """Run the program with these flags, in the environment that the sidecar's app has."""
    module = functions / "caller" / "caller.wasm"
    return await asyncio.to_thread(
        run_command,
        "run",
        "--engine",
        engine,
        *flags,
        module,
        env={**app.sidecar.app_environment, **env},
        stdin=stdin,
    )


async def test_a_granted_call(
    app: DaprApp, functions: Path, engine: str, cache_environment: dict[str, str]
) -> None:
    """What one run saves, another gets, and the function too."""
    grant = ("--dapr", "--grant", f"state={STATE}/orders-*")

    saved = await run(app, functions, engine, SAVE, *grant, env=cache_environment)
    got = await run(app, functions, engine, GET, *grant, env=cache_environment)

    assert (saved.code, saved.stdout) == (0, b"{}"), saved
    assert got.code == 0, got
    assert base64.b64decode(json.loads(got.stdout)["data"]) == b"by hand"
    assert await app.value("caller", "orders-1") == b"by hand"


async def test_a_denied_call(
    app: DaprApp, functions: Path, engine: str, cache_environment: dict[str, str]
) -> None:
    """The guest is told, and so is the person."""
    ended = await run(
        app, functions, engine, GET, "--dapr", "--grant", f"state={STATE}/others", env=cache_environment
    )

    assert ended.code == 1
    assert f"GetState: state '{STATE}/orders-1' is not granted; expected a grant in capa" in ended.stderr
    assert ended.errors[-1].startswith("wasm-grpc run: ")


async def test_without_the_flag(
    app: DaprApp, functions: Path, engine: str, cache_environment: dict[str, str]
) -> None:
    """The program can't tell that there is Dapr, though the environment names a sidecar."""
    ended = await run(app, functions, engine, GET, env=cache_environment)

    assert ended.code == 1
    assert "binding 'dapr' is unknown" in ended.stderr


async def test_without_a_sidecar(functions: Path, engine: str, cache_environment: dict[str, str]) -> None:
    """The call fails with one sentence."""
    module = functions / "caller" / "caller.wasm"
    ended = await asyncio.to_thread(
        run_command,
        "run",
        "--engine",
        engine,
        "--dapr",
        "--grant",
        f"state={STATE}/orders-*",
        module,
        env={"DAPR_GRPC_PORT": "1", **cache_environment},
        stdin=GET,
    )

    assert ended.code == 1
    assert "GetState: Dapr or the app can't be reached" in ended.stderr
    assert "Traceback" not in ended.stderr
