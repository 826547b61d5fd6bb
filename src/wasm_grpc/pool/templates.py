"""
The templates of one server: forked from a base, loaded, and replaced when they crash or grow old.

Theory of operation. Each kind of worker has a template, which loads what that kind serves in advance, and
forks the workers. So a function is loaded once, and a template that crashes on a function takes nothing with
it: the next template leaves out whatever is to blame.

A function that a worker has loaded on demand is loaded by the template of its kind as well, so that workers
forked later have it. A function whose model runs on several threads is never loaded into a template, since no
thread survives a fork.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Coroutine, Mapping, Sequence

from wasm_grpc.core.errors import ProtocolError, WasmGrpcError
from wasm_grpc.core.wire import ForkJob, Load, LoadFailed
from wasm_grpc.pool import blame
from wasm_grpc.pool.bases import FORK_TRIES, Bases, failure_text, fork_from, no_template
from wasm_grpc.pool.blame import Blames
from wasm_grpc.pool.functions import PoolFunction
from wasm_grpc.pool.reach import Reach, reach_of
from wasm_grpc.pool.registry import WorkerKind
from wasm_grpc.pool.session import CONTROL_BYTES, ProcessEnded, Session
from wasm_grpc.pool.template import Template, TemplateEnded

__all__ = ["Templates"]

_log = logging.getLogger("wasm_grpc.pool")


class Templates:
    """
    The templates of one server. Used on the event loop's thread only.
    """

    def __init__(
        self,
        functions: Sequence[PoolFunction],
        blames: Blames,
        bases: Bases,
        *,
        worker_bytes: Mapping[WorkerKind, int],
    ) -> None:
        """
        Start nothing yet.

        Args:
            functions: By index.
            blames: Which of them not to load.
            bases: What the templates are forked from.
            worker_bytes: Memory that a worker of each kind may take.
        """
        self._functions = functions
        self._blames = blames
        self._worker_bytes = worker_bytes
        self._bases = bases
        self._templates: dict[WorkerKind, Template] = {}
        self._locks: dict[WorkerKind, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    async def fork(self, kind: WorkerKind) -> tuple[Session, frozenset[int]]:
        """
        Return a new worker, and the indexes of the functions that it has loaded.

        Raises:
            EngineUnavailableError, WorkerStartError: There is none to be had.
        """

        async def fork(template: Template) -> tuple[Session, frozenset[int]]:
            reach = self._reach(kind, template.loaded)
            session = await template.fork(ForkJob.WORKER, body_limit=CONTROL_BYTES, reach=reach)
            if template.generation.is_old():
                self._in_background(self._renew(kind, template))
            return session, frozenset(template.loaded)

        return await fork_from(
            kind.runtime,
            find=lambda: self._template(kind),
            fork=fork,
            drop=lambda template: self._drop(kind, template),
        )

    def also_load(self, kind: WorkerKind, index: int) -> None:
        """
        Have the template of a kind load a function that a worker has loaded, in the background.
        """
        template = self._templates.get(kind)
        if template is not None and index not in template.loaded and self._functions[index].is_forkable:
            self._in_background(self._load_too(kind, template, index))

    async def aclose(self) -> None:
        """
        Kill and reap every template.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        templates = list(self._templates.values())
        self._templates.clear()
        await asyncio.gather(*(template.end() for template in templates))

    async def _template(self, kind: WorkerKind) -> Template:
        if template := self._templates.get(kind):
            # Without the lock: while a template is renewed, the old one serves.
            return template
        async with self._lock(kind):
            template = self._templates.get(kind)
            if template is None:
                template = self._templates[kind] = await self._new_template(kind)
            return template

    async def _new_template(self, kind: WorkerKind) -> Template:
        """
        Fork a template and have it load what its kind serves in advance, but for what is blocked.

        It ends: each template that dies of a function brings that function nearer to being blocked, and what
        was blocked meanwhile is left out, even if it would no longer be: a dozen functions may be late.

        Raises:
            EngineUnavailableError, WorkerStartError: There is none to be had.
        """
        begun_s = self._loop.time()
        ended = 0
        while ended < FORK_TRIES:
            template = await self._bases.fork_template(
                kind.runtime, memory_bytes=self._worker_bytes[kind], reach=self._reach(kind, ())
            )
            try:
                if await self._load_in_advance(kind, template, begun_s):
                    return template
            except TemplateEnded as exc:
                _log.warning("a template ended before it was asked to load: %s", failure_text(exc))
                ended += 1
                await template.end()
            except BaseException:
                await template.end()
                raise
        raise no_template(kind.runtime)

    async def _load_in_advance(self, kind: WorkerKind, template: Template, begun_s: float) -> bool:
        for index, function in enumerate(self._functions):
            is_for_template = function.kind == kind and function.is_loaded_in_advance and function.is_forkable
            if not is_for_template or self._blames.blocked(index, begun_s):
                continue
            if not await self._load(kind, template, index):
                return False
        return True

    async def _load(self, kind: WorkerKind, template: Template, index: int) -> bool:
        """
        Have a template load a function; return false where it did not survive that.

        Raises:
            TemplateEnded: It had ended before, so the function is not to blame.
        """
        pid = template.session.process.pid
        try:
            load = Load(index, self._functions[index].function)
            answer = await template.load(index, load, within_s=blame.LOAD_S)
        except TemplateEnded:
            raise
        except asyncio.TimeoutError:
            self._blames.delayed(index, self._loop.time())
            await template.end()
            return False
        except (ProcessEnded, ProtocolError) as exc:
            await template.end()
            code = exc.code if isinstance(exc, ProcessEnded) else await template.session.process.wait_exit()
            memory_bytes = self._worker_bytes[kind]
            self._blames.died(
                index, pid, code, self._loop.time(), memory_bytes=memory_bytes, is_template=True
            )
            return False
        if isinstance(answer, LoadFailed):
            self._blames.failed(index, pid, answer.error)
        else:
            self._blames.loaded(index, is_template=True)
        return True

    async def _load_too(self, kind: WorkerKind, template: Template, index: int) -> None:
        try:
            is_alive = await self._load(kind, template, index)
        except TemplateEnded:
            # The next one loads it when a worker has.
            is_alive = False
        if not is_alive:
            await self._drop(kind, template)

    async def _renew(self, kind: WorkerKind, old: Template) -> None:
        """
        Put a new template in the place of an old one, which serves until then.
        """
        async with self._lock(kind):
            if self._templates.get(kind) is not old:
                return
            try:
                self._templates[kind] = await self._new_template(kind)
            except WasmGrpcError as exc:
                _log.warning("an old template serves on, since no new one can be had: %s", exc)
                return
        await old.retire()

    async def _drop(self, kind: WorkerKind, template: Template) -> None:
        if self._templates.get(kind) is template:
            del self._templates[kind]
        await template.end()

    def _reach(self, kind: WorkerKind, loaded: Collection[int]) -> Reach:
        """
        Return what a process of a kind needs that has loaded these functions.
        """
        served = {index: each.function for index, each in enumerate(self._functions) if each.kind == kind}
        to_load = [function for index, function in served.items() if index not in loaded]
        return reach_of(served.values(), to_load=to_load)

    def _lock(self, kind: WorkerKind) -> asyncio.Lock:
        return self._locks.setdefault(kind, asyncio.Lock())

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
