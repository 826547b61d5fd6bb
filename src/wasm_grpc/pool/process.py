"""One worker or compile process: started, greeted, fed frames, killed and reaped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import mmap
import os
import signal
import socket
import struct
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from wasm_grpc import __version__
from wasm_grpc.core.errors import EngineUnavailableError, ProtocolError, WorkerStartError
from wasm_grpc.core.model import KIB, Runtime
from wasm_grpc.core.wire import WIRE_VERSION, Frame, FrameReader, Kind, unpack_json

__all__ = ["Greeting", "WorkerProcess", "exit_text"]

_log = logging.getLogger("wasm_grpc.pool")

START_S = 20.0
"""The longest that a process may take to say HELLO; a cold disk needs a few seconds."""
_LAST_FRAMES_S = 1.0
_STDERR_PIECE_BYTES = 4 * KIB
_STDERR_LINES = 100
_INHERITED = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR")
"""A worker holds no credentials, so it gets no more of the environment than it needs to start."""
_BOARD = struct.Struct("<Q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """
    What a process said of itself in its HELLO.

    Attributes:
        python: Implementation and version of its interpreter ("CPython 3.10.13").
        version: The engine's.
        target: What native code of this engine depends on.
    """

    python: str
    version: str
    target: str


class WorkerProcess(asyncio.Protocol):
    """
    The server's end of one process. Used on the event loop's thread only.

    Attributes:
        greeting: What it said in its HELLO.
        loaded: Indexes of the functions that it was told to take up.
    """

    def __init__(self, *, body_limit: int) -> None:
        self.greeting: Greeting
        self.loaded: set[int] = set()
        self._reader = FrameReader(body_limit=body_limit)
        self._transport: asyncio.Transport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._board: mmap.mmap | None = None
        self._sent = 0
        self._is_greeted = False
        self._on_frame: Callable[[Frame], None] = self._queue_frame
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._reaper: asyncio.Task[int] | None = None
        self._lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def start(
        cls,
        runtime: Runtime,
        *,
        memory_bytes: int,
        body_limit: int,
        cpu_s: int | None = None,
        compiles: bool = False,
    ) -> WorkerProcess:
        """
        Start a process and wait for its HELLO.

        Args:
            runtime: Engine and interpreter.
            memory_bytes: Writable memory that it may use.
            body_limit: The longest frame body that is taken from it.
            cpu_s: CPU seconds of the whole process.
            compiles: It compiles one module instead of running guests.

        Raises:
            EngineUnavailableError: The interpreter lacks the engine.
            WorkerStartError: It can't be started, is of another version, or took too long.
        """
        argv = [runtime.python, "-m", "wasm_grpc.worker"]
        argv += [f"--engine={runtime.engine.value}", f"--memory-bytes={memory_bytes}"]
        if cpu_s is not None:
            argv.append(f"--cpu-s={cpu_s}")
        worker = cls(body_limit=body_limit)
        try:
            await worker._spawn(argv, has_board=not compiles)
            await asyncio.wait_for(worker._greet(runtime), START_S)
        except asyncio.TimeoutError as exc:
            raise WorkerStartError(f"worker interpreter {runtime.python}: said nothing for {START_S:g} s") from exc
        finally:
            if not worker._is_greeted:
                await worker.end()
        return worker

    async def end(self) -> None:
        """
        Kill and reap it, whatever state it is in; a cancellation meanwhile changes nothing.
        """
        self.kill()
        self.close()
        if self._reaper is not None:
            await asyncio.shield(self._reaper)

    @property
    def pid(self) -> int:
        """
        Its process id.
        """
        assert self._process is not None
        return self._process.pid

    def send(self, pieces: Sequence[bytes]) -> None:
        """
        Write one packed frame; on a closed connection nothing happens.
        """
        transport = self._transport
        if transport is not None and not transport.is_closing():
            for piece in pieces:
                transport.write(piece)

    def send_invocation(self, pieces: Sequence[bytes]) -> None:
        """
        Write an INVOKE frame and count it, for `has_begun`.
        """
        self._sent += 1
        self.send(pieces)

    def has_begun(self) -> bool:
        """
        Whether the guest of the last invocation sent was begun, be the process alive or dead.
        """
        assert self._board is not None
        (begun,) = _BOARD.unpack_from(self._board)
        return bool(begun >= self._sent)

    async def receive(self) -> Frame | None:
        """
        Wait for the next frame; ``None`` when the connection has closed.
        """
        return await self._frames.get()

    def on_frame(self, receiver: Callable[[Frame], None]) -> None:
        """
        Hand every further frame to this callable instead of `receive`.
        """
        self._on_frame = receiver

    def on_exit(self, receiver: Callable[[int], None]) -> None:
        """
        Call back with the exit code (minus the signal, if killed) when the process has been reaped.
        """
        assert self._reaper is not None
        self._reaper.add_done_callback(lambda reaper: receiver(reaper.result()))

    def kill(self) -> None:
        """
        Kill it at once; it is reaped in the background.
        """
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def close(self) -> None:
        """
        Let an idle process end by closing the connection.
        """
        if self._transport is not None:
            self._transport.close()

    async def wait_closed(self) -> int:
        """
        Wait until it is reaped; returns its exit code, minus the signal if it was killed.
        """
        assert self._reaper is not None
        return await asyncio.shield(self._reaper)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                self._on_frame(frame)
        except ProtocolError as exc:
            _log.error("worker %d sent what the wire does not allow, and is killed: %s", self.pid, exc)
            self.kill()
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._frames.put_nowait(None)
        if not self._lost.done():
            self._lost.set_result(None)

    def _queue_frame(self, frame: Frame) -> None:
        self._frames.put_nowait(frame)

    async def _spawn(self, argv: Sequence[str], *, has_board: bool) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            fds = [theirs.fileno()]
            options = [f"--fd={theirs.fileno()}"]
            with contextlib.ExitStack() as stack:
                if has_board:
                    board = stack.enter_context(_board_file())
                    self._board = mmap.mmap(board.fileno(), _BOARD.size)
                    fds.append(board.fileno())
                    options.append(f"--board={board.fileno()}")
                try:
                    self._process = await asyncio.create_subprocess_exec(
                        *argv,
                        *options,
                        stdin=asyncio.subprocess.DEVNULL,
                        stdout=asyncio.subprocess.DEVNULL,
                        stderr=asyncio.subprocess.PIPE,
                        pass_fds=fds,
                        env={name: os.environ[name] for name in _INHERITED if name in os.environ},
                    )
                except OSError as exc:
                    ours.close()
                    reason = exc.strerror or type(exc).__name__
                    raise WorkerStartError(f"worker interpreter {argv[0]}: can't be started: {reason}") from exc
        loop = asyncio.get_running_loop()
        self._reaper = loop.create_task(self._reap(), name=f"reap worker {self.pid}")
        ours.setblocking(False)
        await loop.create_connection(lambda: self, sock=ours)

    async def _reap(self) -> int:
        """
        Log what the process prints on standard error (an engine's panic, say) and reap it.
        """
        assert self._process is not None
        assert self._process.stderr is not None
        await _log_lines(self._process.stderr, self._process.pid)
        code = await self._process.wait()
        # What it sent before it died is still to be read: the connection ends after that.
        await asyncio.wait([self._lost], timeout=_LAST_FRAMES_S)
        self.close()
        return code

    async def _greet(self, runtime: Runtime) -> None:
        frame = await self.receive()
        if frame is None:
            code = await self.wait_closed()
            raise WorkerStartError(
                f"worker interpreter {runtime.python}: ended with {exit_text(code)} before it said hello; "
                f"expected an interpreter with the package wasm-grpc {__version__}"
            )
        hello = unpack_json(frame)
        if frame.kind is not Kind.HELLO or hello.get("wire") != WIRE_VERSION or hello.get("package") != __version__:
            raise WorkerStartError(
                f"worker interpreter {runtime.python}: has wasm-grpc {hello.get('package')} "
                f"(wire {hello.get('wire')}); expected {__version__} (wire {WIRE_VERSION})"
            )
        if "error" in hello:
            raise EngineUnavailableError(f"{runtime.python} ({hello['python']}): {hello['error']}")
        self.greeting = Greeting(python=hello["python"], version=hello["version"], target=hello["target"])
        self._is_greeted = True


async def _log_lines(stream: asyncio.StreamReader, pid: int) -> None:
    """
    Log what is printed, cut to what a log can bear; a flood is read on, so that nobody blocks.
    """
    left = _STDERR_LINES
    while piece := await stream.read(_STDERR_PIECE_BYTES):
        for line in piece.decode("utf-8", "replace").splitlines()[:left]:
            _log.warning("worker %d: %s", pid, line)
            left -= 1


def _board_file() -> BinaryIO:
    """
    Give a file without a name, of the board's size, to be shared with the process.
    """
    file = os.fdopen(os.memfd_create("board"), "w+b") if hasattr(os, "memfd_create") else tempfile.TemporaryFile()
    file.truncate(_BOARD.size)
    return file


def exit_text(code: int) -> str:
    """
    Say how a process ended: "exit code 1", "signal SIGKILL".
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
