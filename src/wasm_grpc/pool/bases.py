"""
The bases of one program: for each runtime a process that has opened its engine, and forks every other one.

Theory of operation. Opening an engine under another interpreter takes some 0.2 s, so it is done once for each
runtime. What the base forks has the engine open: a template, a compile process, or a worker. The base itself
loads and compiles nothing, so nothing untrusted can crash it; if it ends all the same, the next fork starts
another one. All processes of one base have the same address layout, which helps an attacker who has escaped
from one guest and looks for another process; so a base is replaced now and then. What it has forked lives on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from wasm_grpc.core.errors import ProtocolError, WorkerStartError
from wasm_grpc.core.model import Runtime
from wasm_grpc.core.wire import EngineOpened, ForkJob
from wasm_grpc.pool.child import become_subreaper
from wasm_grpc.pool.children import Children
from wasm_grpc.pool.reach import NOTHING, Reach
from wasm_grpc.pool.session import KilledAtStartError, ProcessEnded, Session
from wasm_grpc.pool.template import Template

__all__ = ["FORK_TRIES", "Bases", "failure_text", "fork_from", "no_template", "open_bases"]

_log = logging.getLogger("wasm_grpc.pool")

FORK_TRIES = 3
"""How many templates in a row may end while they start or fork."""
_LAST_SWEEPS = 100
_SWEEP_PAUSE_S = 0.01
"""How often, and after which pause, what workers have left behind is looked for at the end."""
_BROKEN = (ProcessEnded, ProtocolError, asyncio.TimeoutError)
"""How a template fails that has to be replaced."""

_T = TypeVar("_T")


class Bases:
    """
    The bases of one program. Used on the event loop's thread only; made by `open_bases`.
    """

    def __init__(self) -> None:
        self._bases: dict[Runtime, Template] = {}
        self._children = Children()
        self._locks: dict[Runtime, asyncio.Lock] = {}
        self._retirements: set[asyncio.Task[None]] = set()

    async def open(self, runtime: Runtime) -> EngineOpened:
        """
        Return what a runtime says of itself and its engine.

        Raises:
            EngineUnavailableError: The interpreter lacks the engine.
            WorkerStartError: It can't be started, is of another version, or took too long.
        """
        return (await self._base(runtime)).session.opened

    async def fork(
        self,
        runtime: Runtime,
        job: ForkJob,
        *,
        memory_bytes: int,
        body_limit: int,
        reach: Reach = NOTHING,
        cpu_s: int = 0,
    ) -> Session:
        """
        Return a new process that has loaded nothing.

        Args:
            runtime: Engine and interpreter.
            job: What the process does.
            memory_bytes: Writable memory that it may take.
            body_limit: The longest frame body that is taken from it.
            reach: What its walls leave it.
            cpu_s: CPU seconds of the whole process; 0 is no limit.

        Raises:
            EngineUnavailableError, WorkerStartError: There is none to be had.
        """

        async def fork(base: Template) -> Session:
            return await base.fork(
                job, memory_bytes=memory_bytes, body_limit=body_limit, reach=reach, cpu_s=cpu_s
            )

        return await self._with_base(runtime, fork)

    async def fork_template(self, runtime: Runtime, *, memory_bytes: int, reach: Reach = NOTHING) -> Template:
        """
        Return a new template that has loaded nothing.

        Args:
            runtime: Engine and interpreter.
            memory_bytes: Writable memory that it, and each of its workers, may take.
            reach: What its walls, which are its workers' too, leave it.

        Raises:
            EngineUnavailableError, WorkerStartError: There is none to be had.
        """

        async def fork(base: Template) -> Template:
            return await base.fork_template(memory_bytes=memory_bytes, reach=reach)

        return await self._with_base(runtime, fork)

    def end_strays(self) -> None:
        """
        Kill and reap what workers have left behind; call it every second or so.
        """
        if count := self._children.end_strays():
            _log.warning("ended what a worker had left behind: %d processes", count)

    async def aclose(self) -> None:
        """
        Kill and reap every base, and what workers have left behind.
        """
        for retirement in self._retirements:
            retirement.cancel()
        await asyncio.gather(*self._retirements, return_exceptions=True)
        bases = list(self._bases.values())
        self._bases.clear()
        await asyncio.gather(*(base.end() for base in bases))
        for _ in range(_LAST_SWEEPS):
            # Until the last one that was killed is reaped.
            if not self._children.end_strays():
                break
            await asyncio.sleep(_SWEEP_PAUSE_S)

    async def _with_base(self, runtime: Runtime, fork: Callable[[Template], Awaitable[_T]]) -> _T:
        return await fork_from(
            runtime,
            find=lambda: self._base(runtime),
            fork=fork,
            drop=lambda base: self._drop(runtime, base),
        )

    async def _base(self, runtime: Runtime) -> Template:
        async with self._locks.setdefault(runtime, asyncio.Lock()):
            last = self._bases.get(runtime)
            if last is not None and not last.has_ended and not last.generation.is_old():
                return last
            _prepare_for_orphans()
            base = self._bases[runtime] = await _start(runtime, self._children)
            if last is not None:
                retirement = asyncio.create_task(last.retire(), name=f"retire the base of {runtime.python}")
                self._retirements.add(retirement)
                retirement.add_done_callback(self._retirements.discard)
            return base

    async def _drop(self, runtime: Runtime, base: Template) -> None:
        if self._bases.get(runtime) is base:
            del self._bases[runtime]
        await base.end()


@contextlib.asynccontextmanager
async def open_bases() -> AsyncIterator[Bases]:
    """
    Start bases as they are needed and, at the end, kill and reap every one of them.
    """
    bases = Bases()
    try:
        yield bases
    finally:
        await asyncio.shield(bases.aclose())


async def fork_from(
    runtime: Runtime,
    *,
    find: Callable[[], Awaitable[Template]],
    fork: Callable[[Template], Awaitable[_T]],
    drop: Callable[[Template], Awaitable[None]],
) -> _T:
    """
    Return what a template forks. If the template breaks meanwhile, try again with the next one.

    Args:
        runtime: Engine and interpreter of the templates.
        find: Returns a template.
        fork: Has it fork.
        drop: Ends one that broke, so that `find` returns another.

    Raises:
        EngineUnavailableError, WorkerStartError: There is none to be had.
    """
    for _ in range(FORK_TRIES):
        template = await find()
        try:
            return await fork(template)
        except _BROKEN as exc:
            _log.warning("a template ended while it forked: %s", failure_text(exc))
            await drop(template)
    raise no_template(runtime)


def failure_text(error: Exception) -> str:
    """
    Say how a template failed that has to be replaced.
    """
    return str(error) or "it did not answer in time"


def no_template(runtime: Runtime) -> WorkerStartError:
    """
    Return the error for a runtime whose templates end again and again.
    """
    return WorkerStartError(
        f"worker interpreter {runtime.python}: {FORK_TRIES} templates ended while they forked; "
        "expected one that goes on"
    )


async def _start(runtime: Runtime, children: Children) -> Template:
    for _ in range(FORK_TRIES - 1):
        try:
            return await Template.start(runtime, children)
        except KilledAtStartError as exc:
            _log.warning("%s; another one is started", exc)
    return await Template.start(runtime, children)


def _prepare_for_orphans() -> None:
    try:
        become_subreaper()
    except OSError as exc:
        raise WorkerStartError(
            f"workers can't be forked: the kernel refuses PR_SET_CHILD_SUBREAPER: {exc.strerror}; "
            "expected Linux"
        ) from exc
