"""The functions that a process has loaded: each ready to run, or the reason why it can't be loaded."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wasm_grpc.core.artifact import read_payload
from wasm_grpc.core.errors import WasmGrpcError
from wasm_grpc.core.model import ReuseKind, WorkerFunction
from wasm_grpc.core.wire import Load, Loaded, LoadFailed, encode_env
from wasm_grpc.engines.protocol import Engine, Prepared
from wasm_grpc.guests.protocol import Ending, Guest, GuestCall, ReadyGuest
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.hosts.protocol import HostStates
from wasm_grpc.hosts.registry import open_host_modules
from wasm_grpc.hosts.wasi.context import encode_strings
from wasm_grpc.hosts.wasi.mounts import FileSystem

__all__ = ["LoadedFunction", "LoadedFunctions", "ProcessTainted"]

_PREPARED = 128
"""How many functions of a process have an instance ready, each of which takes its module's initial memory."""


class ProcessTainted(Exception):
    """
    The engine can no longer be trusted in this process, which must end at once. The text says why.
    """


@dataclass(slots=True)
class LoadedFunction:
    """
    A function with all that does not change between its invocations.

    Attributes:
        function: What the server said of it.
        args: Its arguments, as `encode_strings` makes them.
        env: Its environment, as `encode_env` makes it.
        guest: Its guest interface.
        module: The module, loaded by the engine.
        files: What it may see of the file system.
        states: How its host modules begin an invocation.
    """

    function: WorkerFunction
    args: bytes
    env: bytes
    guest: Guest
    module: Prepared
    files: FileSystem
    states: HostStates
    _instance: ReadyGuest | None = None

    @property
    def is_prepared(self) -> bool:
        """
        Whether there is an instance for the next invocation.
        """
        return self._instance is not None

    def prepare(self) -> None:
        """
        Make the instance for the next invocation, unless there is a warm one.

        Raises:
            ProcessTainted: Making it has tainted the process.
        """
        if self._instance is None:
            self._instance = self._new_instance()
            if taint := self._instance.taint:
                raise ProcessTainted(f"function '{self.function.name}': no instance could be made: {taint}")

    def discard(self) -> None:
        """
        Free its instance, whether an invocation has run in it or not. The next invocation makes its own.
        """
        instance, self._instance = self._instance, None
        if instance is not None:
            instance.close()

    def run(self, call: GuestCall) -> Ending:
        """
        Run an invocation in a warm instance, or one that has never run. `release` follows.
        """
        if self._instance is None:
            self._instance = self._new_instance()
        return self._instance.run(call)

    def release(self) -> None:
        """
        Free its instance if that has run its last invocation.
        """
        if self._instance is not None and self._instance.is_spent:
            self.discard()

    def _new_instance(self) -> ReadyGuest:
        function = self.function
        max_invocations = function.max_invocations if function.reuse is ReuseKind.WARM else 1
        return self.guest.ready(self.module, function.limits, max_invocations=max_invocations)


class LoadedFunctions:
    """
    The functions of one process, by the index that the server gave each.

    Attributes:
        engine: What loads their modules.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._hosts = open_host_modules()
        self._table: dict[int, LoadedFunction | str] = {}
        # The functions that may have an instance, by the address of each; the least recently used is first.
        self._prepared: OrderedDict[int, LoadedFunction] = OrderedDict()
        self._prepared_limit = min(_PREPARED, engine.instances // 2)

    def get(self, index: int) -> LoadedFunction | str | None:
        """
        Return a function, the reason why it could not be loaded, or ``None`` if it never was to be loaded.
        """
        return self._table.get(index)

    def load(self, message: Load) -> Loaded | LoadFailed:
        """
        Load a function, and return the answer for the server.

        Raises:
            ProcessTainted: The function's first instance has tainted the process.
        """
        index = message.index
        try:
            entry = self._load(message.function)
            # An instance that can't be made is reported now, and not to the first caller.
            self.prepare(entry)
        except (WasmGrpcError, OSError, MemoryError) as exc:
            error = self._table[index] = str(exc) or type(exc).__name__
            return LoadFailed(index, error)
        self._table[index] = entry
        return Loaded(index)

    def prepare(self, entry: LoadedFunction) -> None:
        """
        Make a function's next instance, while no caller waits, if its manifest asks for it.

        An engine has room for so many instances. With more functions than that, those that have not been
        called for longest lose theirs, also warm ones, and make another when they are called.

        Raises:
            ProcessTainted: See `LoadedFunction.prepare`.
        """
        if entry.function.prepared:
            entry.prepare()
        if not entry.is_prepared:
            return
        self._prepared[id(entry)] = entry
        self._prepared.move_to_end(id(entry))
        if len(self._prepared) > self._prepared_limit:
            _, oldest = self._prepared.popitem(last=False)
            oldest.discard()

    def import_libraries(self, *, infers: bool, decodes: bool) -> None:
        """
        Import what functions need that may run models or decode pictures: see `HostModule.import_libraries`.
        """
        # What is missing then is reported when such a function is loaded.
        for host in self._hosts:
            with contextlib.suppress(WasmGrpcError, OSError, MemoryError):
                host.import_libraries(infers=infers, decodes=decodes)

    def warm_ups(self) -> Iterator[Callable[[], None]]:
        """
        Return the warm-ups of all host modules; see `HostModule.warm_ups`.
        """
        for host in self._hosts:
            yield from host.warm_ups()

    def _load(self, function: WorkerFunction) -> LoadedFunction:
        guest = guest_for(function.guest)
        module = self._module_of_another(function) or self.engine.load(
            read_payload(function.artifact, function.digest), guest.hosts
        )
        return LoadedFunction(
            function=function,
            args=encode_strings((function.name, *function.args)),
            env=encode_env(function.env),
            guest=guest,
            module=module,
            files=FileSystem(function.grants.mounts, scratch_bytes=function.limits.scratch_bytes),
            states={host.state: host.open(function.grants, function.imports) for host in self._hosts},
        )

    def _module_of_another(self, function: WorkerFunction) -> Prepared | None:
        """
        Return the loaded module of another function, if it has the same native code and guest interface.
        """
        for entry in self._table.values():
            if (
                isinstance(entry, LoadedFunction)
                and entry.function.digest == function.digest
                and entry.function.guest is function.guest
            ):
                return entry.module
        return None
