"""One worker or compile process: started, killed and reaped."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import mmap
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from wasm_grpc.core.model import KIB
from wasm_grpc.core.start_counter import StartCounter
from wasm_grpc.pool.child import Child, SpawnedChild
from wasm_grpc.pool.children import Children
from wasm_grpc.pool.connection import Connection, unread_bytes

__all__ = ["ProcessEnds", "WorkerProcess", "exit_text", "spawn"]

_log = logging.getLogger(__name__)

_END_S = 2.0
"""How long a process may live without its socket. After that it is killed: it has nothing left to do."""
_LAST_FRAMES_S = 1.0
"""The longest wait for what a process sent before it died; it is in the socket already."""
_LAST_LINES_S = 1.0
"""The longest wait for what it printed, which is in the pipe already."""
_PAUSE_S = 0.002
_STDERR_PIECE_BYTES = 4 * KIB
_STDERR_LINES = 100
_SMALL_TALK = "INFO: "
"""How TensorFlow Lite starts lines that only inform. They can't be turned off."""
_INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR")
"""A worker holds no credentials, so it gets no more of the environment than it needs to start."""
_NEUTRAL_FOLDER = "/"
"""A worker's working directory: not the server's, which may be a folder that others write to."""


@dataclass(frozen=True, slots=True)
class ProcessEnds:
    """
    The descriptors that a new process is given.

    Attributes:
        connection: Its end of the socket to the server.
        stderr: Where its standard error goes.
        counter: The memory of its `StartCounter`.
    """

    connection: int
    stderr: int
    counter: int


@dataclass(frozen=True, slots=True)
class _Stderr:
    reader: asyncio.StreamReader
    transport: asyncio.ReadTransport


class WorkerProcess:
    """
    A process that has been started. Used on the event loop's thread only; made by `start`.

    Attributes:
        connection: Messages to and from it.
    """

    def __init__(
        self,
        child: Child,
        connection: Connection,
        counter: StartCounter,
        stderr: _Stderr,
        children: Children,
    ) -> None:
        self.connection = connection
        self._children = children
        self._child = child
        self._counter = counter
        self._stderr = stderr
        self._deadline: asyncio.TimerHandle | None = None
        connection.on_lost(self._expect_end)
        connection.on_breach(self.kill)
        self._reaper = asyncio.create_task(self._reap(), name=f"reap worker {child.pid}")

    @classmethod
    async def start(
        cls, start: Callable[[ProcessEnds], Awaitable[Child]], children: Children, *, body_limit: int
    ) -> WorkerProcess:
        """
        Start a process that is given its ends of a connection and the rest that it shares with this one.

        Args:
            start: Starts it; the ends are closed here once it returns. Its errors are passed on.
            children: The record of this program's processes.
            body_limit: The longest frame body that is taken from it.

        Raises:
            OSError: This process has no descriptor left.
        """
        with contextlib.ExitStack() as given, contextlib.ExitStack() as on_failure:
            ours, theirs = socket.socketpair()
            given.enter_context(theirs)
            connection = await Connection.open(ours, body_limit=body_limit)
            on_failure.callback(connection.abort)
            file = given.enter_context(_counter_file())
            counter = StartCounter(mmap.mmap(file.fileno(), StartCounter.SIZE))
            on_failure.callback(counter.close)
            stderr, write_end = await _open_stderr()
            on_failure.callback(stderr.transport.close)
            given.callback(os.close, write_end)
            with children.starting():
                child = await start(
                    ProcessEnds(connection=theirs.fileno(), stderr=write_end, counter=file.fileno())
                )
                children.add(child.pid)
            on_failure.pop_all()
        return cls(child, connection, counter, stderr, children)

    @property
    def pid(self) -> int:
        """
        Its process id.
        """
        return self._child.pid

    def begun(self) -> int:
        """
        Return how many guests it has begun, be it alive or dead.
        """
        return self._counter.count()

    def on_exit(self, receiver: Callable[[int], None]) -> None:
        """
        Call back with the exit code (minus the signal, if killed) once the process has been reaped.
        """
        self._reaper.add_done_callback(lambda reaper: receiver(reaper.result()))

    def kill(self) -> None:
        """
        Kill it at once; it is reaped in the background.
        """
        self._child.kill()

    def retire(self) -> None:
        """
        Let an idle process end by itself; one that doesn't is killed.
        """
        self.connection.close()
        self._expect_end()

    async def wait_exit(self) -> int:
        """
        Wait until it is reaped; returns its exit code, minus the signal if it was killed.
        """
        return await asyncio.shield(self._reaper)

    async def end(self) -> None:
        """
        Kill and reap it, whatever state it is in; a cancellation meanwhile changes nothing.
        """
        self.kill()
        self.connection.abort()
        await asyncio.shield(self._reaper)

    def _expect_end(self) -> None:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(_END_S, self.kill)

    async def _log_stderr(self) -> None:
        """
        Log what the process prints on standard error: an engine's panic, say.
        """
        async for line in _lines(self._stderr.reader):
            level = logging.DEBUG if line.startswith(_SMALL_TALK) else logging.WARNING
            _log.log(level, "worker %d: %s", self.pid, line)

    async def _reap(self) -> int:
        """
        Wait until the process ends; nothing that it has left behind may hold this up.

        Neither the pipe nor the socket may ever end, since a process that was left behind has them too.
        """
        printed = asyncio.create_task(self._log_stderr(), name=f"standard error of worker {self.pid}")
        code = await self._child.wait()
        self._children.remove(self.pid)
        await self._end_stderr(printed)
        # Otherwise its descriptor would stay open until the garbage collector finds it.
        self._counter.close()
        # Reading may be paused for a slow caller. All that the process has sent is in the socket by now.
        self.connection.resume_reading()
        await self.connection.drain(_LAST_FRAMES_S)
        self.connection.abort()
        if self._deadline is not None:
            self._deadline.cancel()
        return code

    async def _end_stderr(self, printed: asyncio.Task[None]) -> None:
        """
        Log what the process had printed by its end.
        """
        loop = asyncio.get_running_loop()
        end_s = loop.time() + _LAST_LINES_S
        while not printed.done() and unread_bytes(self._stderr.transport) and loop.time() < end_s:
            await asyncio.wait([printed], timeout=_PAUSE_S)
        self._stderr.transport.close()
        # What comes after a close is ignored: this is the end, also of a line without one.
        self._stderr.reader.feed_eof()
        await asyncio.wait([printed], timeout=_LAST_LINES_S)
        printed.cancel()


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


async def spawn(argv: Sequence[str], ends: ProcessEnds, *, inherits: Sequence[int] = ()) -> Child:
    """
    Start a program. Two more flags tell it its descriptors.

    Args:
        argv: The interpreter and what it is to run.
        ends: What it is given.
        inherits: Further descriptors.

    Raises:
        OSError: It can't be started.
    """
    return SpawnedChild(
        await asyncio.create_subprocess_exec(
            *argv,
            f"--fd={ends.connection}",
            f"--counter={ends.counter}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=ends.stderr,
            pass_fds=(ends.connection, ends.counter, *inherits),
            cwd=_NEUTRAL_FOLDER,
            env={name: os.environ[name] for name in _INHERITED if name in os.environ},
        )
    )


async def _open_stderr() -> tuple[_Stderr, int]:
    """
    Return the end of a pipe that is read here, and the descriptor of the other, which a process prints to.
    """
    loop = asyncio.get_running_loop()
    read_end, write_end = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
    )
    return _Stderr(reader, transport), write_end


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """
    Return the first lines that are printed. The rest is read and discarded, so that the process never blocks.
    """
    left = _STDERR_LINES
    begun = b""
    while piece := await stream.read(_STDERR_PIECE_BYTES):
        # A line may arrive in pieces, and the last one may have no end.
        *whole, begun = (begun + piece).split(b"\n") if left else [b""]
        if len(begun) > _STDERR_PIECE_BYTES:
            whole, begun = [*whole, begun], b""
        for line in _printable(whole[:left]):
            left -= 1
            yield line
    for line in _printable([begun]):
        yield line


def _printable(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            yield text


def _counter_file() -> BinaryIO:
    """
    Return a file without a name, of the counter's size, to be shared with the process.

    Its size is sealed. Otherwise a compromised worker could shorten the file, and the server would die of
    SIGBUS when it reads.
    """
    if not hasattr(os, "memfd_create"):
        # Not Linux: workers are not confined there either.
        file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        file.truncate(StartCounter.SIZE)
        return file
    file = os.fdopen(os.memfd_create("counter", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b")
    file.truncate(StartCounter.SIZE)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return file
