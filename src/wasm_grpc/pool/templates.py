"""
The templates of one server: started, loaded, replaced when they crash or grow old.

Theory of operation. Each runtime has a *base*: a template that has opened its engine and loads nothing. For
each kind of worker the base forks a template that loads what that kind serves in advance, and that one forks
the workers. So an engine is opened once, a function is loaded once, and a template that crashes on a
function takes nothing with it: the base forks the next one, which leaves out whatever is to blame.

A function that a worker has loaded on demand is loaded by the template of its kind as well, so that workers
forked later have it. All processes of one base have the same address layout, which helps an attacker who
has escaped from one guest and looks for another process; so a base is replaced now and then. Its workers
live on.

A function whose model runs on several threads is never loaded into a template: no thread survives a fork.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence

from wasm_grpc.core.errors import ProtocolError, WasmGrpcError, WorkerStartError
from wasm_grpc.core.model import Runtime
from wasm_grpc.core.wire import Load, LoadFailed
from wasm_grpc.pool import blame
from wasm_grpc.pool.blame import Blames
from wasm_grpc.pool.child import become_subreaper
from wasm_grpc.pool.functions import PoolFunction
from wasm_grpc.pool.registry import WorkerKind
from wasm_grpc.pool.session import ProcessEnded, Session
from wasm_grpc.pool.template import Template

__all__ = ["Templates"]

_log = logging.getLogger("wasm_grpc.pool")

_TRIES = 3
"""How many templates in a row may end while they fork."""
_BROKEN = (ProcessEnded, ProtocolError, asyncio.TimeoutError)
"""How a template fails that has to be replaced."""


class Templates:
    """
    The templates of one server. Used on the event loop's thread only.
    """

    def __init__(
        self,
        functions: Sequence[PoolFunction],
        blames: Blames,
        *,
        worker_bytes: Mapping[WorkerKind, int],
        body_limit: int,
    ) -> None:
        """
        Start nothing yet.

        Args:
            functions: By index.
            blames: Which of them not to load.
            worker_bytes: Memory that a worker of each kind may take.
            body_limit: The longest frame body that is taken from a worker.
        """
        self._functions = functions
        self._blames = blames
        self._worker_bytes = worker_bytes
        self._body_limit = body_limit
        self._bases: dict[Runtime, Template] = {}
        self._templates: dict[WorkerKind, Template] = {}
        self._locks: dict[Runtime | WorkerKind, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    async def fork(self, kind: WorkerKind) -> tuple[Session, frozenset[int]]:
        """
        Return a new worker, and the indexes of the functions that it has loaded.

        Raises:
            EngineUnavailableError, WorkerStartError: There is none to be had.
        """
        for _ in range(_TRIES):
            template = await self._template(kind)
            try:
                session = await template.fork(body_limit=self._body_limit)
            except _BROKEN as exc:
                _log.warning("a template ended while it forked a worker: %s", _text(exc))
                await self._drop(kind, template)
                continue
            if template.generation.is_old():
                self._in_background(self._renew(kind, template))
            return session, frozenset(template.loaded)
        raise _no_template(kind)

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
        templates = [*self._templates.values(), *self._bases.values()]
        self._templates.clear()
        self._bases.clear()
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

        It ends: each template that dies of a function brings that function nearer to being blocked.
        """
        while True:
            template = await self._fork_template(kind)
            try:
                if await self._load_in_advance(kind, template):
                    return template
            except BaseException:
                await template.end()
                raise

    async def _fork_template(self, kind: WorkerKind) -> Template:
        for _ in range(_TRIES):
            base = await self._base(kind.runtime)
            try:
                return await base.fork_template(memory_bytes=self._worker_bytes[kind])
            except _BROKEN as exc:
                _log.warning("a template ended while it forked another: %s", _text(exc))
                if self._bases.get(kind.runtime) is base:
                    del self._bases[kind.runtime]
                await base.end()
        raise _no_template(kind)

    async def _load_in_advance(self, kind: WorkerKind, template: Template) -> bool:
        for index, function in enumerate(self._functions):
            is_for_template = function.kind == kind and function.is_loaded_in_advance and function.is_forkable
            if not is_for_template or self._blames.blocked(index, self._loop.time()):
                continue
            if not await self._load(kind, template, index):
                return False
        return True

    async def _load(self, kind: WorkerKind, template: Template, index: int) -> bool:
        """
        Have a template load a function; return false where it did not survive that.
        """
        pid = template.session.process.pid
        try:
            load = Load(index, self._functions[index].function)
            answer = await template.load(index, load, within_s=blame.LOAD_S)
        except asyncio.TimeoutError:
            self._blames.delayed(index, self._loop.time())
            await template.end()
            return False
        except (ProcessEnded, ProtocolError) as exc:
            await template.end()
            code = exc.code if isinstance(exc, ProcessEnded) else await template.session.process.wait_exit()
            memory_bytes = self._worker_bytes[kind]
            self._blames.died(index, pid, code, self._loop.time(), memory_bytes=memory_bytes)
            return False
        if isinstance(answer, LoadFailed):
            self._blames.failed(index, pid, answer.error)
        else:
            self._blames.loaded(index)
        return True

    async def _base(self, runtime: Runtime) -> Template:
        async with self._lock(runtime):
            base = self._bases.get(runtime)
            if base is not None and (base.has_ended or base.generation.is_old()):
                base.retire()
                base = None
            if base is None:
                _prepare_for_orphans()
                base = self._bases[runtime] = await Template.start(runtime)
            return base

    async def _load_too(self, kind: WorkerKind, template: Template, index: int) -> None:
        if not await self._load(kind, template, index):
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
        old.retire()

    async def _drop(self, kind: WorkerKind, template: Template) -> None:
        if self._templates.get(kind) is template:
            del self._templates[kind]
        await template.end()

    def _lock(self, key: Runtime | WorkerKind) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _prepare_for_orphans() -> None:
    try:
        become_subreaper()
    except OSError as exc:
        raise WorkerStartError(
            f"workers can't be forked: the kernel refuses PR_SET_CHILD_SUBREAPER: {exc.strerror}; "
            "expected Linux"
        ) from exc


def _no_template(kind: WorkerKind) -> WorkerStartError:
    return WorkerStartError(
        f"worker interpreter {kind.runtime.python}: {_TRIES} templates ended while they forked; "
        "expected one that goes on"
    )


def _text(error: Exception) -> str:
    return str(error) or "it did not answer in time"
