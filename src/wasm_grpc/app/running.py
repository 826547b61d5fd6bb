"""One guest run once, here, its streams flowing: what ``wasm-grpc run`` does."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import io
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from wasm_grpc.app.compilation import ModuleCompiler, first_that_takes, open_cache
from wasm_grpc.app.inference import Inspector
from wasm_grpc.artifacts.cache import Artifact, ArtifactCache
from wasm_grpc.core import wire
from wasm_grpc.core.arguments import Argument, encode_arguments
from wasm_grpc.core.errors import ConfigError, ManifestError, ModelError, ModuleError
from wasm_grpc.core.model import (
    KIB,
    EngineName,
    Grants,
    GuestKind,
    Invocation,
    Limits,
    Outcome,
    Reason,
    WorkerFunction,
)
from wasm_grpc.core.settings import Settings
from wasm_grpc.pool.bases import Bases, open_bases
from wasm_grpc.pool.compiler import describe_module
from wasm_grpc.pool.connection import Connection
from wasm_grpc.pool.dapr_calls import DaprApi
from wasm_grpc.pool.memory import code_bytes, dapr_bytes, guest_bytes, models_bytes, pictures_bytes
from wasm_grpc.pool.process import exit_text
from wasm_grpc.pool.reach import reach_of
from wasm_grpc.pool.runtimes import find_runtime, find_runtimes, wanted_engines
from wasm_grpc.pool.session import ProcessEnded, Session

__all__ = ["GuestProgram", "Streams", "run_once"]

_FRAME_LIMIT_BYTES = 1 << 31
"""The export of a waPC guest, as a module has it: length, name and kind (core specification, 5.5.10)."""
_READ_BYTES = 256 * KIB
"""Of standard input at a time; about as much again waits in the socket ahead of the guest's reads."""


class Streams(Protocol):
    """
    Where a guest's standard streams lead. `read` may block; it is called on a thread of its own.
    """

    def read(self, limit: int) -> bytes:
        """
        Return at most `limit` bytes of standard input; empty at its end.
        """
        ...

    def write(self, chunk: bytes) -> None:
        """
        Take standard output.
        """
        ...

    def log(self, chunk: bytes) -> None:
        """
        Take standard error.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestProgram:
    """
    What is to be run.

    Attributes:
        file: The module.
        args: The guest's arguments, without its name.
        env: Its environment.
        limits: Its limits.
        grants: What it may use besides its input.
        sidecar: Address of the sidecar for its calls to Dapr; "" for none.
        operation: The waPC operation or wasmedge-bindgen function to call; None for a command.
        arguments: What to call it with; if there are none, standard input is the one argument.
    """

    file: Path
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    limits: Limits
    grants: Grants = field(default_factory=Grants)
    sidecar: str = ""
    operation: str | None = None
    arguments: tuple[Argument, ...] = ()

    def payload(self, guest: GuestKind) -> bytes | None:
        """
        Return the input that the arguments are for this guest interface; None for standard input.

        Raises:
            ConfigError: The guest interface doesn't take them.
        """
        if not self.arguments:
            return None
        if guest is GuestKind.WASMEDGE_BINDGEN:
            return encode_arguments(self.arguments)
        if len(self.arguments) > 1:
            raise ConfigError(f"--call: {len(self.arguments)} arguments; expected one, the payload")
        (argument,) = self.arguments
        if argument.type:
            raise ConfigError(
                f"--call: a waPC payload has no type {argument.type}; expected a text or bytes:@FILE"
            )
        return argument.content


async def run_once(program: GuestProgram, settings: Settings, streams: Streams) -> Outcome:
    """
    Run a program in a worker process of its own; a cancelled caller stops it.

    Raises:
        ConfigError: The file can't be read, is no command, no engine takes it, or a model can't be run.
        WorkerStartError: The worker can't be started.
    """
    try:
        wasm = await asyncio.to_thread(program.file.read_bytes)
    except OSError as exc:
        raise ConfigError(f"{program.file}: {exc.strerror}") from exc
    async with open_bases() as bases, open_cache(settings) as cache:
        guest = await _guest(program, wasm, bases, settings)
        task = _Task(program, wasm, guest, program.payload(guest))
        session, function = await _start_on_first(task, bases, cache, settings)
        async with session, _open_dapr(program, settings) as dapr:
            try:
                return await asyncio.wait_for(
                    _Conversation(session, function, task, streams, dapr).hold(),
                    program.limits.timeout_s,
                )
            except asyncio.TimeoutError:
                message = f"ran longer than {program.limits.timeout_s:g} s"
                return Outcome(reason=Reason.TIMEOUT, message=message, limit="limits.timeout")


async def _guest(program: GuestProgram, wasm: bytes, bases: Bases, settings: Settings) -> GuestKind:
    """
    Return how the module is called. The compile process then checks that it can be called so.
    """
    if program.operation is None:
        return GuestKind.WASI_COMMAND

    async def describe(engine: EngineName) -> GuestKind | None:
        found = await find_runtime(engine, bases, settings)
        described = await describe_module(wasm, runtime=found.runtime, bases=bases, settings=settings)
        return described.guest

    try:
        guest = await first_that_takes(wanted_engines(settings.engine), describe, name=program.file.name)
    except ModuleError as exc:
        raise ModuleError(f"{program.file}: {exc}") from exc
    # Whose error says best what any other module lacks.
    return GuestKind.WAPC if guest is GuestKind.WAPC else GuestKind.WASMEDGE_BINDGEN


@dataclass(frozen=True, slots=True)
class _Task:
    """
    A program that has been read.

    Attributes:
        program: The program.
        wasm: Its module.
        guest: How the module is called.
        payload: Its input, if that is not standard input.
    """

    program: GuestProgram
    wasm: bytes
    guest: GuestKind
    payload: bytes | None


async def _start_on_first(
    task: _Task, bases: Bases, cache: ArtifactCache, settings: Settings
) -> tuple[Session, WorkerFunction]:
    """
    Start a worker of the first engine that takes the program. The others are not even opened.

    Raises:
        EngineUnavailableError: No engine can be started.
        ModuleError, ModelError: None takes it.
    """
    program = task.program
    engines = wanted_engines(settings.engine)
    inspector: Inspector | None = None
    if program.grants.inference.is_granted:
        inspector = Inspector(settings, bases, await find_runtimes(engines, bases, settings))
        engines = await inspector.engines_for(program.grants, engines)

    async def start(engine: EngineName) -> tuple[Session, WorkerFunction]:
        grants = program.grants
        if inspector is not None:
            grants = await _inspect(program, inspector, engine)
        found = await find_runtime(engine, bases, settings)
        compiler = ModuleCompiler(settings, cache, bases, {engine: found})
        artifact = await compiler.compile(
            task.wasm,
            guest=task.guest,
            limits=program.limits,
            engine=engine,
            name=program.file.name,
        )
        function = _function(task, artifact, grants)
        memory_bytes = _worker_bytes(program, settings) + models_bytes([grants.inference])
        memory_bytes += pictures_bytes([function])
        session = await bases.fork(
            found.runtime,
            wire.ForkJob.WORKER,
            reach=reach_of([function], to_load=[function]),
            memory_bytes=memory_bytes + code_bytes([(engine, "", artifact.size_bytes)]),
            body_limit=_FRAME_LIMIT_BYTES,
        )
        return session, function

    try:
        return await first_that_takes(engines, start, name=program.file.name)
    except ModuleError as exc:
        raise ModuleError("\n".join(f"{program.file}: {line}" for line in str(exc).splitlines())) from exc


def _function(task: _Task, artifact: Artifact, grants: Grants) -> WorkerFunction:
    program = task.program
    return WorkerFunction(
        name=program.file.name,
        guest=task.guest,
        artifact=artifact.path,
        digest=artifact.digest,
        imports=artifact.imports,
        args=program.args,
        env=program.env,
        limits=program.limits,
        grants=grants,
    )


async def _inspect(program: GuestProgram, inspector: Inspector, engine: EngineName) -> Grants:
    def format_problem(model: str, error: ModelError) -> str:
        return f"model {model!r}: {error}; expected one that runs"

    try:
        return await inspector.inspect(program.grants, engine, format_problem)
    except ManifestError as exc:
        # There is no manifest whose lines these could be.
        raise ModelError("; ".join(exc.problems)) from exc


def _worker_bytes(program: GuestProgram, settings: Settings) -> int:
    # A command's input and output are streamed. What a function is called with and returns is held whole.
    # Files twice: the guest's first write to one copies it.
    limits = program.limits
    traffic = 0 if program.operation is None else 2 * limits.body_bytes + limits.result_bytes
    files_bytes = 2 * sum(mount.size_bytes for mount in program.grants.mounts)
    calls_bytes = dapr_bytes([program.grants.dapr])
    return settings.worker_bytes + guest_bytes(limits) + traffic + files_bytes + calls_bytes


@contextlib.asynccontextmanager
async def _open_dapr(program: GuestProgram, settings: Settings) -> AsyncIterator[DaprApi | None]:
    if not program.sidecar:
        yield None
        return
    # Imported here, since it takes 200 ms, and few programs call Dapr.
    from wasm_grpc.dapr.guest_calls import GuestCalls  # noqa: PLC0415
    from wasm_grpc.dapr.sidecar import open_sidecar  # noqa: PLC0415

    async with open_sidecar(program.sidecar, token=settings.dapr_api_token) as sidecar:
        yield GuestCalls(sidecar)


class _Conversation:
    """
    What the worker of one program says, and what it is told.
    """

    def __init__(
        self,
        session: Session,
        function: WorkerFunction,
        task: _Task,
        streams: Streams,
        dapr: DaprApi | None,
    ) -> None:
        self._session = session
        self._function = function
        self._program = task.program
        self._has_arguments = task.payload is not None and task.guest is GuestKind.WASMEDGE_BINDGEN
        self._read = streams.read if task.payload is None else io.BytesIO(task.payload).read
        self._streams = streams
        self._dapr = dapr
        self._is_fed = False
        self._calls = 0

    async def hold(self) -> Outcome:
        """
        Run the program, and return how it ended.

        Raises:
            ModuleError: The worker can't load it.
        """
        self._session.send(wire.Load(0, self._function))
        operation = (self._program.operation or "").encode("utf-8", "surrogateescape")
        self._session.send(
            wire.Invoke(
                0,
                b"",
                b"",
                streams=True,
                follows_log=True,
                operation=operation,
                has_arguments=self._has_arguments,
            )
        )
        try:
            while True:
                message = await self._session.receive()
                if isinstance(message, wire.Result):
                    return message.outcome
                await self._take(message)
        except ProcessEnded as exc:
            problem = f"its worker died while running it ({exit_text(exc.code)})"
            return Outcome(reason=Reason.CRASHED, message=problem)
        finally:
            # Whoever reads standard input waits for room no longer.
            self._session.connection.abort()

    async def _take(self, message: wire.Message) -> None:
        if isinstance(message, wire.Output):
            self._streams.write(bytes(message.chunk))
        elif isinstance(message, wire.Read):
            if not self._is_fed:
                # Not before: a guest that reads nothing leaves all to whoever comes after it.
                self._is_fed = True
                _feed(self._session.connection, self._read)
        elif isinstance(message, wire.Resume):
            self._session.send(wire.Resumed())
        elif isinstance(message, wire.Log):
            self._streams.log(bytes(message.chunk))
        elif isinstance(message, wire.DaprCall):
            self._session.send(await self._call_dapr(message))
        elif isinstance(message, wire.LoadFailed):
            raise ModuleError(f"{self._program.file}: {message.error}")

    async def _call_dapr(self, call: wire.DaprCall) -> wire.DaprAnswer:
        limits = self._program.limits
        self._calls += 1
        if self._dapr is None or self._calls > limits.host_calls:
            return wire.DaprAnswer(wire.DaprStatus.LIMIT)
        invocation = Invocation(id="run", function=self._function.name, body=b"")
        timeout_s = limits.dapr_timeout_s or limits.timeout_s or limits.idle_timeout_s
        return await self._dapr.call(call, invocation, self._function, timeout_s=timeout_s)


def _feed(connection: Connection, read: Callable[[int], bytes]) -> None:
    """
    Send standard input from now on, ahead of the guest's reads as far as the socket takes it.

    A daemon thread reads it: the interpreter does not wait for a terminal where nobody types.
    """
    loop = asyncio.get_running_loop()

    async def send(piece: bytes) -> bool:
        connection.send(wire.Input(piece))
        await connection.wait_room()
        return not connection.is_closed

    def hand_over(piece: bytes) -> bool:
        sending = send(piece)
        try:
            return asyncio.run_coroutine_threadsafe(sending, loop).result() and bool(piece)
        except (RuntimeError, concurrent.futures.CancelledError):
            # The loop has closed: the guest ended without this input.
            sending.close()
            return False

    def work() -> None:
        while hand_over(_read(read)):
            continue

    threading.Thread(target=work, name="standard input", daemon=True).start()


def _read(read: Callable[[int], bytes]) -> bytes:
    try:
        return read(_READ_BYTES)
    except (OSError, ValueError):
        return b""
