"""One template seen from the server: a process that loads functions, and forks workers that have them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator

from wasm_grpc.core.errors import ProtocolError, WorkerStartError
from wasm_grpc.core.model import Runtime
from wasm_grpc.core.wire import Fork, Forked, ForkFailed, ForkJob, Load, Loaded, LoadFailed
from wasm_grpc.pool.child import Child, ForkedChild
from wasm_grpc.pool.children import Children
from wasm_grpc.pool.process import ProcessEnds, WorkerProcess
from wasm_grpc.pool.reach import NOTHING, Reach
from wasm_grpc.pool.session import CONTROL_BYTES, ProcessEnded, Session, start_error

__all__ = ["Generation", "Template", "TemplateEnded"]

_FORKS = 1000
_AGE_S = 3600.0
"""After so many forks, or at this age, a generation is old."""
_FORK_S = 3.0
"""The longest that a fork may take, while callers may wait for it; on a busy machine it takes some 5 ms."""


class TemplateEnded(ProcessEnded):
    """
    The template had ended before it was asked, so whoever asked is not to blame.
    """


class Generation:
    """
    What all processes that stem from one start have in common: their address layout, and so their age.
    """

    def __init__(self) -> None:
        self._born_s = time.monotonic()
        self._forks = 0

    def count(self) -> None:
        """
        Note a fork.
        """
        self._forks += 1

    def is_old(self) -> bool:
        """
        Return whether it should be replaced.
        """
        return self._forks >= _FORKS or time.monotonic() - self._born_s >= _AGE_S


class Template:
    """
    A template. Used on the event loop's thread only; made by `start` or another one's `fork_template`.

    Attributes:
        session: The process.
        generation: That of the process.
        loaded: Indexes of the functions that it has loaded.
    """

    def __init__(
        self,
        runtime: Runtime,
        session: Session,
        forks: socket.socket,
        generation: Generation,
        children: Children,
    ) -> None:
        self.session = session
        self.generation = generation
        self.loaded: set[int] = set()
        self._runtime = runtime
        self._socket = forks
        self._children = children
        # A template does one thing at a time, and answers in order. Whoever waits for its turn has to ask
        # whether the template still runs: see `_turn`.
        self._lock = asyncio.Lock()

    @classmethod
    async def start(cls, runtime: Runtime, children: Children) -> Template:
        """
        Start a template that has loaded nothing.

        Args:
            runtime: Engine and interpreter.
            children: The record of this program's processes.

        Raises:
            EngineUnavailableError: The interpreter lacks the engine.
            WorkerStartError: It can't be started, is of another version, or took too long.
        """
        ours, theirs = _forks_pair(runtime)
        with theirs:
            try:
                session = await Session.start(runtime, forks=theirs.fileno(), children=children)
            except BaseException:
                ours.close()
                raise
        return cls(runtime, session, ours, Generation(), children)

    @property
    def has_ended(self) -> bool:
        """
        Whether the process has ended, or is about to.
        """
        return self.session.connection.is_closed

    async def load(self, index: int, load: Load, *, within_s: float) -> Loaded | LoadFailed:
        """
        Have it load a function, unless it has, and return its answer.

        Raises:
            TemplateEnded: It had ended before.
            asyncio.TimeoutError: It took longer.
            ProcessEnded: It died of it.
            ProtocolError: It broke the wire format.
        """
        async with self._turn():
            if index in self.loaded:
                # Several workers have loaded it at the same time, and each asked for it here.
                return Loaded(index)
            answer = await self.session.ask(load, (Loaded, LoadFailed), within_s=within_s)
        if isinstance(answer, Loaded):
            self.loaded.add(index)
        return answer

    async def fork(
        self,
        job: ForkJob,
        *,
        body_limit: int,
        reach: Reach = NOTHING,
        memory_bytes: int = 0,
        cpu_s: int = 0,
    ) -> Session:
        """
        Return a process that has loaded what this template has.

        Args:
            job: What the process does.
            body_limit: The longest frame body that is taken from it.
            reach: What its walls leave it.
            memory_bytes: Writable memory that it may take beyond that; 0 leaves it the template's limit.
            cpu_s: CPU seconds of the whole process; 0 is no limit.

        Raises:
            ProcessEnded: The template has ended; `TemplateEnded` if it had before.
            asyncio.TimeoutError, ProtocolError: It does not answer, or not as it should.
            WorkerStartError: The kernel has no process left.
        """
        message = reach.fork(job, memory_bytes=memory_bytes, cpu_s=cpu_s)
        return await self._fork(message, body_limit=body_limit)

    async def fork_template(self, *, memory_bytes: int, reach: Reach = NOTHING) -> Template:
        """
        Return another template that has loaded what this one has.

        Args:
            memory_bytes: Writable memory that it, and each of its workers, may take from then on.
            reach: What its walls, which are its workers' too, leave it.

        Raises:
            ProcessEnded, asyncio.TimeoutError, ProtocolError, WorkerStartError: See `fork`.
        """
        ours, theirs = _forks_pair(self._runtime)
        with theirs:
            try:
                message = reach.fork(ForkJob.TEMPLATE, memory_bytes=memory_bytes)
                session = await self._fork(message, body_limit=CONTROL_BYTES, forks=theirs)
            except BaseException:
                ours.close()
                raise
        template = Template(self._runtime, session, ours, self.generation, self._children)
        template.loaded |= self.loaded
        return template

    async def retire(self) -> None:
        """
        Let it end once it has done what it was asked, and reap it; what it has forked lives on.

        It is killed if the caller is cancelled.
        """
        try:
            async with self._lock:
                self._socket.close()
                self.session.process.retire()
            await self.session.process.wait_exit()
        except asyncio.CancelledError:
            await self.end()
            raise

    async def end(self) -> None:
        """
        Kill and reap it; what it has forked lives on.
        """
        self._socket.close()
        await self.session.process.end()

    async def _fork(self, message: Fork, *, body_limit: int, forks: socket.socket | None = None) -> Session:
        async def start(ends: ProcessEnds) -> Child:
            descriptors = [ends.connection, ends.stderr, ends.counter]
            if forks is not None:
                descriptors.append(forks.fileno())
            try:
                # It fits: the template takes each before the next is asked for.
                socket.send_fds(self._socket, [b"\0"], descriptors)
            except ConnectionError as exc:
                raise ProcessEnded(await self.session.process.wait_exit()) from exc
            try:
                answer = await self.session.ask(message, (Forked, ForkFailed), within_s=_FORK_S)
            except asyncio.TimeoutError:
                # A late answer would be taken for that to the next FORK.
                self.session.connection.abort()
                raise
            if isinstance(answer, ForkFailed):
                raise OSError(None, answer.error)
            self.generation.count()
            try:
                return ForkedChild(answer.pid, template=self.session.process.pid)
            except ProcessLookupError as exc:
                # The template has ended since it answered, and what it had forked with it.
                raise ProcessEnded(await self.session.process.wait_exit()) from exc

        async with self._turn():
            starting = asyncio.ensure_future(
                WorkerProcess.start(start, self._children, body_limit=body_limit)
            )
            try:
                process = await asyncio.shield(starting)
            except asyncio.CancelledError:
                # A process that exists already is ended, or nobody would.
                with contextlib.suppress(OSError, ProcessEnded, ProtocolError, asyncio.TimeoutError):
                    await (await starting).end()
                raise
            except asyncio.TimeoutError:
                # From CPython 3.11 on it is an OSError too.
                raise
            except OSError as exc:
                raise WorkerStartError(
                    f"worker interpreter {self._runtime.python}: can't be forked: {exc.strerror}; "
                    "expected a machine with processes and descriptors left"
                ) from exc
        return Session(process, self.session.opened)

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """
        Wait until nobody else asks anything of it.

        Raises:
            TemplateEnded: It has ended meanwhile.
        """
        async with self._lock:
            if self.has_ended:
                raise TemplateEnded(await self.session.process.wait_exit())
            yield


def _forks_pair(runtime: Runtime) -> tuple[socket.socket, socket.socket]:
    try:
        ours, theirs = socket.socketpair()
    except OSError as exc:
        raise start_error(runtime, exc) from exc
    ours.setblocking(False)  # noqa: FBT003 - the standard library's own signature
    return ours, theirs
