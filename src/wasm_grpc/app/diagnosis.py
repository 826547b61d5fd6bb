"""What this machine has of all that serving needs, and what to do about what it lacks."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wasm_grpc.app.engine_age import age_note
from wasm_grpc.artifacts.cache import default_cache_folder
from wasm_grpc.artifacts.folder import ArtifactFolder
from wasm_grpc.core.errors import HostError, WasmGrpcError
from wasm_grpc.core.model import MIB, EngineName
from wasm_grpc.core.settings import Settings
from wasm_grpc.core.walls import Wall
from wasm_grpc.pool.bases import Bases, open_bases
from wasm_grpc.pool.inspector import find_backend, find_decoder
from wasm_grpc.pool.runtimes import FoundRuntime, find_runtime, wanted_engines

__all__ = ["Diagnosis", "Finding", "diagnose"]

_PROGRAM_S = 5.0
"""The longest wait for a program's version."""
_REDIS_S = 1.0
_REDIS = ("127.0.0.1", 6379)
"""Where Redis listens by default, and where `dapr init` leaves one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One thing that was looked for.

    Attributes:
        subject: What it is.
        is_found: It is there and can be used.
        found: What was found where, or what is wrong.
        remedy: What to do; "" where nothing needs to be.
    """

    subject: str
    is_found: bool
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """
    All that was looked for, and whether a function can be served at all.
    """

    can_serve: bool
    findings: tuple[Finding, ...]


async def diagnose(settings: Settings, *, daprd: str | None, today: dt.date) -> Diagnosis:
    """
    Look for each engine, its inference backend and picture decoder by starting them, and for the rest.

    Args:
        settings: Engine, interpreter and cache folder as `serve` would take them.
        daprd: Path of the sidecar's program, if one was found.
        today: The date, which tells whether an engine still gets fixes.
    """
    async with open_bases() as bases:
        engines = wanted_engines(settings.engine)
        found = [await _find(engine, bases, settings) for engine in engines]
        runtimes = [each for each in found if isinstance(each, FoundRuntime)]
        inference = [await _inference(each, bases, settings) for each in runtimes]
        pictures = [await _pictures(each, bases, settings) for each in runtimes]
    return Diagnosis(
        can_serve=bool(runtimes),
        findings=(
            Finding(subject="server", is_found=True, found=_server()),
            *(_engine_finding(engine, each, today) for engine, each in zip(engines, found, strict=True)),
            *inference,
            *pictures,
            *(_wall(wall, runtimes) for wall in Wall),
            await asyncio.to_thread(_cache, settings),
            await _daprd(daprd),
            await _redis(),
        ),
    )


async def _find(engine: EngineName, bases: Bases, settings: Settings) -> FoundRuntime | WasmGrpcError:
    try:
        return await find_runtime(engine, bases, settings)
    except WasmGrpcError as exc:
        return exc


def _server() -> str:
    return f"{platform.python_implementation()} {platform.python_version()} ({sys.executable})"


def _engine_finding(engine: EngineName, found: FoundRuntime | WasmGrpcError, today: dt.date) -> Finding:
    subject = f"engine {engine.value}"
    if isinstance(found, FoundRuntime):
        note = age_note(engine, found.opened.version, today)
        return Finding(subject=subject, is_found=True, found=f"{found} ({found.runtime.python})", remedy=note)
    return _problem(subject, found)


async def _inference(found: FoundRuntime, bases: Bases, settings: Settings) -> Finding:
    subject = f"inference {found.runtime.engine.value}"
    try:
        backend = await find_backend(found.runtime, bases, settings)
    except WasmGrpcError as exc:
        return _problem(subject, exc)
    return Finding(subject=subject, is_found=True, found=f"{backend} on {found.opened.python}")


async def _pictures(found: FoundRuntime, bases: Bases, settings: Settings) -> Finding:
    subject = f"pictures {found.runtime.engine.value}"
    try:
        decoder = await find_decoder(found.runtime, bases, settings)
    except WasmGrpcError as exc:
        return _problem(subject, exc)
    return Finding(subject=subject, is_found=True, found=f"{decoder} on {found.opened.python}")


def _problem(subject: str, error: WasmGrpcError) -> Finding:
    what, _, expected = str(error).removeprefix(f"{subject}: ").partition("; expected ")
    return Finding(
        subject=subject, is_found=False, found=what, remedy=f"expected {expected}" * bool(expected)
    )


def _wall(wall: Wall, runtimes: Sequence[FoundRuntime]) -> Finding:
    if not runtimes:
        return Finding(subject=wall.value, is_found=False, found="not known: no worker could be started")
    if all(wall not in each.opened.missing_walls for each in runtimes):
        return Finding(subject=wall.value, is_found=True, found=wall.promise)
    return Finding(subject=wall.value, is_found=False, found=wall.lack, remedy=f"expected {wall.expected}")


def _cache(settings: Settings) -> Finding:
    subject = "artifact cache"
    folder = Path(settings.cache_dir) if settings.cache_dir else default_cache_folder(os.environ)
    if folder is None:
        remedy = "expected HOME, XDG_CACHE_HOME or WASM_GRPC_CACHE_DIR"
        return Finding(subject=subject, is_found=False, found="this user has no home", remedy=remedy)
    try:
        # Here and below not `Path.exists`, which fails where this user may not look.
        if os.path.exists(folder):  # noqa: PTH110
            count, size = ArtifactFolder(folder).usage()
            found = f"{folder} ({count} modules, {size / MIB:.1f} MiB)"
            return Finding(subject=subject, is_found=True, found=found)
    except HostError as exc:
        return _problem(subject, exc)
    above = next(each for each in folder.absolute().parents if os.path.exists(each))  # noqa: PTH110
    if not os.access(above, os.W_OK):
        remedy = "expected one to write to; WASM_GRPC_CACHE_DIR names another"
        found = f"{folder} can't be made"
        return Finding(subject=subject, is_found=False, found=found, remedy=remedy)
    return Finding(subject=subject, is_found=True, found=f"{folder} (to be made by the first start)")


async def _daprd(path: str | None) -> Finding:
    if path is None:
        remedy = "expected it in DAPRD, PATH or ~/.dapr/bin; `dapr init` installs it"
        return Finding(subject="daprd", is_found=False, found="not found", remedy=remedy)
    version = await _version(path)
    return Finding(subject="daprd", is_found=True, found=f"{version or 'unknown version'} ({path})")


async def _redis() -> Finding:
    host, port = _REDIS
    if await _answers(host, port):
        return Finding(subject="redis", is_found=True, found=f"answers at {host}:{port}")
    path = await asyncio.to_thread(shutil.which, "redis-server")
    if path is None:
        remedy = "expected for state and pub/sub on this machine; Debian's redis-server, or `dapr init`"
        found = f"nothing answers at {host}:{port}, no redis-server"
        return Finding(subject="redis", is_found=False, found=found, remedy=remedy)
    found = f"{path}, not running at {host}:{port}"
    return Finding(subject="redis", is_found=True, found=found)


async def _answers(host: str, port: int) -> bool:
    """
    Say whether Redis listens there: it answers a PING, if only to ask for a password.
    """
    with contextlib.suppress(OSError, asyncio.TimeoutError):
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port), _REDIS_S)
        try:
            writer.write(b"PING\r\n")
            answer = await asyncio.wait_for(reader.read(8), _REDIS_S)
        finally:
            writer.close()
        return answer.startswith((b"+PONG", b"-NOAUTH"))
    return False


async def _version(program: str) -> str:
    """
    Return the first line that a program says of its version; "" if it says none.
    """
    with contextlib.suppress(OSError):
        process = await asyncio.create_subprocess_exec(
            program,
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), _PROGRAM_S)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()
            return ""
        return next(iter(output.decode("utf-8", "replace").splitlines()), "")
    return ""
