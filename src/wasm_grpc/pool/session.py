"""A process and the messages that are exchanged with it, from its start to its end."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TypeVar

from wasm_grpc import __version__
from wasm_grpc.core import wire
from wasm_grpc.core.errors import EngineUnavailableError, WorkerStartError
from wasm_grpc.core.interpreter import isolated_command
from wasm_grpc.core.model import KIB, Runtime
from wasm_grpc.core.wire import (
    WIRE_VERSION,
    EngineFailed,
    EngineOpened,
    Hello,
    Message,
)
from wasm_grpc.pool.child import Child
from wasm_grpc.pool.children import Children
from wasm_grpc.pool.process import ProcessEnds, WorkerProcess, exit_text, spawn

__all__ = ["CONTROL_BYTES", "KilledAtStartError", "ProcessEnded", "Session", "start_error"]

_START_S = 20.0
"""The longest that a process may take to open its engine; a cold disk needs a few seconds."""

CONTROL_BYTES = 64 * KIB
"""The longest frame body that is taken from a template, or a worker that has run nothing: they send none."""

_A = TypeVar("_A", bound=Message)
_B = TypeVar("_B", bound=Message)


class ProcessEnded(Exception):
    """
    The process ended where a message was expected.

    Attributes:
        code: Its exit code, minus the signal if it was killed.
    """

    def __init__(self, code: int) -> None:
        super().__init__(exit_text(code))
        self.code = code


class KilledAtStartError(WorkerStartError):
    """
    A signal ended the process before it was ready: another one may come up.
    """


class Session:
    """
    A process and the messages to and from it. Used on the event loop's thread only.

    As a context manager it ends the process, whatever state it is in.

    Attributes:
        process: Its life: exit, kill, retire.
        connection: The socket: back-pressure, and `on_message` instead of `receive`.
        opened: What the process said of itself and its engine.
    """

    def __init__(self, process: WorkerProcess, opened: EngineOpened) -> None:
        self.process = process
        self.connection = process.connection
        self.opened = opened

    @classmethod
    async def start(cls, runtime: Runtime, *, forks: int, children: Children) -> Session:
        """
        Start a template, and wait until its engine is open.

        Args:
            runtime: Engine and interpreter.
            forks: Descriptor of its end of the socket that brings the descriptors of what it forks.
            children: The record of this program's processes.

        Raises:
            EngineUnavailableError: The interpreter lacks the engine.
            WorkerStartError: It can't be started, is of another version, or took too long.
            KilledAtStartError: A signal ended it.
        """
        command = isolated_command(runtime.python, "wasm_grpc.worker")
        command += [f"--engine={runtime.engine.value}", f"--forks={forks}"]

        async def start(ends: ProcessEnds) -> Child:
            return await spawn(command, ends, inherits=[forks])

        try:
            process = await WorkerProcess.start(start, children, body_limit=CONTROL_BYTES)
        except OSError as exc:
            raise start_error(runtime, exc) from exc
        try:
            opened = await asyncio.wait_for(_greet(process, runtime), _START_S)
        except asyncio.TimeoutError as exc:
            await process.end()
            raise WorkerStartError(
                f"worker interpreter {runtime.python}: said nothing for {_START_S:g} s; expected its hello"
            ) from exc
        except BaseException:
            await process.end()
            raise
        return cls(process, opened)

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.process.end()

    def send(self, message: Message) -> None:
        """
        Write one message; nothing happens where the process has ended.
        """
        self.connection.send(message)

    async def receive(self, *, within_s: float | None = None) -> Message:
        """
        Wait for the next message.

        Raises:
            asyncio.TimeoutError: None came in time.
            ProcessEnded: The process ended.
            ProtocolError: It broke the wire format.
        """
        message = await asyncio.wait_for(self.connection.receive(), within_s)
        if message is None:
            raise ProcessEnded(await self.process.wait_exit())
        return message

    async def ask(self, message: Message, answers: tuple[type[_A], type[_B]], *, within_s: float) -> _A | _B:
        """
        Send one message and wait for its answer, which is one of two.

        Raises:
            asyncio.TimeoutError, ProcessEnded: See `receive`.
            ProtocolError: It broke the wire format, or answered otherwise.
        """
        self.send(message)
        answer = await self.receive(within_s=within_s)
        if not isinstance(answer, answers):
            expected = " or ".join(each.kind.name for each in answers)
            raise wire.out_of_place(answer, expected)
        return answer


def start_error(runtime: Runtime, error: OSError) -> WorkerStartError:
    """
    Return the error for a process that the kernel does not start.
    """
    reason = error.strerror or type(error).__name__
    return WorkerStartError(
        f"worker interpreter {runtime.python}: can't be started: {reason}; expected a Python"
    )


async def _greet(process: WorkerProcess, runtime: Runtime) -> EngineOpened:
    worker = f"worker interpreter {runtime.python}"
    hello = await process.connection.receive()
    if hello is None:
        code = await process.wait_exit()
        raise _early_end(code)(
            f"{worker}: ended with {exit_text(code)} before it said hello; "
            f"expected one with the package wasm-grpc {__version__}"
        )
    if not isinstance(hello, Hello):
        raise wire.out_of_place(hello, "HELLO")
    if hello != Hello(__version__, WIRE_VERSION):
        raise WorkerStartError(
            f"{worker}: has wasm-grpc {hello.package} (wire {hello.wire}); "
            f"expected {__version__} (wire {WIRE_VERSION})"
        )
    opened = await process.connection.receive()
    if opened is None:
        code = await process.wait_exit()
        raise _early_end(code)(
            f"{worker}: ended with {exit_text(code)} while it opened engine {runtime.engine.value}; "
            "expected it to open"
        )
    if isinstance(opened, EngineFailed):
        raise EngineUnavailableError(f"{worker}: {opened.error}")
    if not isinstance(opened, EngineOpened):
        raise wire.out_of_place(opened, "ENGINE_OPENED")
    return opened


def _early_end(code: int) -> type[WorkerStartError]:
    return KilledAtStartError if code < 0 else WorkerStartError
