"""
The guest interface ``wasmedge-bindgen``: call a function of a guest of any published version of the macro.

The host allocates each argument in guest memory, and a table of them: address and number of elements, u32
each. The function gets the table's address and the number of arguments. How it answers depends on the version
of the macro (`conventions`).

Source: the published crates; see `wasm_grpc.hosts.bindgen`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from wasm_grpc.core.arguments import decode_arguments
from wasm_grpc.core.model import Limits
from wasm_grpc.engines.binary import Module
from wasm_grpc.engines.protocol import (
    GuestExit,
    GuestStop,
    GuestTrap,
    HostModules,
    Instance,
    Prepared,
)
from wasm_grpc.guests.bindgen.conventions import (
    ALLOCATE,
    ALLOCATE_TYPE,
    DEALLOCATE,
    DEALLOCATE_TYPE,
    MALLOC,
    Convention,
    find_convention,
    is_callable,
    returns_record,
)
from wasm_grpc.guests.bindgen.heap import Heap
from wasm_grpc.guests.bindgen.wasm_bindgen import ReadyWasmBindgen
from wasm_grpc.guests.binding import finish
from wasm_grpc.guests.checks import check_function_export, check_imports, check_memory_export
from wasm_grpc.guests.endings import GuestEnd, GuestFailure, without_frames
from wasm_grpc.guests.interfaces import INITIALIZE, START, find_command, find_wapc_guest
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.guests.reactor import INITIALISER_TYPE, Reactor, with_error
from wasm_grpc.guests.toolchains import foreign_build
from wasm_grpc.hosts import registry
from wasm_grpc.hosts.bindgen.bodies import Answer, answer_of
from wasm_grpc.hosts.bindgen.calls import refuse
from wasm_grpc.hosts.bindgen.results import TRIPLE_BYTES, BadResult, read_results
from wasm_grpc.hosts.bindgen.state import ERROR_BYTES, BindgenState
from wasm_grpc.hosts.regions import U32_MAX, OutOfBounds, region

__all__ = ["Bindgen", "ReadyBindgen"]

_WRONG_COUNT: Final = b"Invalid params count, expect "
"""How the macro begins its error for a wrong number of arguments, of which it has then taken none."""
_TAKES_NONE: Final = _WRONG_COUNT + b"0, got 1"
_RECORD: Final = struct.Struct("<BII")
"""0 for results or 1 for an error, the address, and the number of results or the length of the error."""
_IS_ERROR: Final = 1


class Bindgen:
    """
    A `Guest`: a wasmedge-bindgen guest.
    """

    __slots__ = ()

    @property
    def hosts(self) -> HostModules:
        """
        See `Guest.hosts`.
        """
        return registry.BINDGEN_FUNCTIONS

    def check(self, module: Module) -> Sequence[str]:
        """
        See `Guest.check`.
        """
        problems = list(check_imports(module, self.hosts))
        convention = find_convention(module)
        if convention is not Convention.WASM_BINDGEN:
            problems += check_function_export(module, ALLOCATE, ALLOCATE_TYPE)
            problems += check_function_export(module, DEALLOCATE, DEALLOCATE_TYPE)
        if module.export(INITIALIZE) is not None:
            problems += check_function_export(module, INITIALIZE, INITIALISER_TYPE)
        problems += check_memory_export(module)
        if not problems and convention is None:
            problems.append(
                "no export is a function of wasmedge-bindgen; expected one of type (i32, i32) -> () "
                "in a module that imports 'return_result', or of type (i32, i32) -> (i32)"
            )
        if not problems:
            return []
        # One line about the wrong build says more than many about single imports.
        foreign = find_wapc_guest(module) or foreign_build(module) or find_command(module)
        return problems if foreign is None else [foreign]

    def ready(self, prepared: Prepared, limits: Limits, *, max_invocations: int = 1) -> Reactor:
        """
        See `Guest.ready`.
        """
        kind = ReadyWasmBindgen if prepared.function_type(MALLOC) == ALLOCATE_TYPE else ReadyBindgen
        return kind(prepared, memory_bytes=limits.memory_bytes, max_invocations=max_invocations)


_Blocks = dict[int, int]
"""Memory of the guest that the host frees: sizes by address, so that nothing is freed twice."""


class _Returned(NamedTuple):
    """
    What a function returned: an answer, an error message or neither; and what is to be freed then.
    """

    answer: Answer | None
    error: bytes | None
    blocks: _Blocks


class ReadyBindgen(Reactor):
    """
    A `ReadyGuest`: see `Reactor`.
    """

    __slots__ = ("_heap",)

    def __init__(self, prepared: Prepared, *, memory_bytes: int, max_invocations: int) -> None:
        super().__init__(prepared, memory_bytes=memory_bytes, max_invocations=max_invocations)
        self._heap = Heap(self._context)

    def _answer(self, instance: Instance, call: GuestCall, body: bytes) -> tuple[GuestEnd | None, bool]:
        state = self._context.state_of(BindgenState)
        function = call.operation.decode("utf-8", "replace")
        if not is_callable(function, self._prepared.function_type(function)):
            return GuestFailure(f"it exports no function {function!r} of wasmedge-bindgen".encode()), True
        try:
            self._initialise(instance)
            returned = self._call(instance, state, function, _arguments(call, body))
            if returned.error == _TAKES_NONE and not body:
                # The function takes no argument, and its trigger has none to give.
                self._free(instance, returned.blocks)
                returned = self._call(instance, state, function, ())
        except GuestStop as stop:
            return without_frames(stop), False
        except (GuestExit, GuestTrap) as failure:
            return with_error(without_frames(failure), state.error), False
        end = self._hand_over(call, returned)
        # Arguments that the function has not taken are freed by nobody, so the instance is replaced.
        has_taken = not body or not (returned.error or b"").startswith(_WRONG_COUNT)
        try:
            self._free(instance, returned.blocks)
        except (GuestExit, GuestStop, GuestTrap) as failure:
            # The caller has an answer already. Only the instance is lost.
            is_tainted = isinstance(failure, GuestTrap) and failure.is_process_tainted
            return without_frames(failure) if is_tainted else end, False
        return end, has_taken

    def _initialisers(self) -> Iterator[str]:
        for name in (INITIALIZE, START):
            if self._prepared.function_type(name) == INITIALISER_TYPE:
                # A module is a reactor or a command. One that claims to be both is initialised once.
                yield name
                return

    def _call(
        self,
        instance: Instance,
        state: BindgenState,
        function: str,
        arguments: Iterable[tuple[int, memoryview]],
    ) -> _Returned:
        """
        Call a function, and read what it returned.

        Raises:
            GuestExit, GuestStop, GuestTrap: See `Instance.call`.
        """
        has_record = returns_record(self._prepared.function_type(function))
        blocks: _Blocks = {}
        entries: list[int] = []
        for count, content in arguments:
            # 0.1.0 reads a text up to a NUL. Later versions don't see it.
            at = self._heap.place(instance, content, end=b"" if has_record else b"\0")
            entries += (at, count)
            if not content:
                # Rust doesn't free a vector of no bytes.
                blocks[at] = 1
        table_at = self._heap.place_table(instance, entries)
        # Also what it has handed over while it initialised or allocated.
        state.forget()
        try:
            results = instance.call(function, table_at, len(entries) // 2)
            if has_record:
                return self._read_record(int(results[0]) & U32_MAX, state, blocks)
        except OutOfBounds as exc:
            raise exc.as_stop(function) from None
        except BadResult as exc:
            raise refuse(exc) from None
        blocks.update(() if state.answer is None else state.answer.owned)
        return _Returned(state.answer, state.error, blocks)

    def _read_record(self, at: int, state: BindgenState, blocks: _Blocks) -> _Returned:
        memory = self._context.memory()
        kind, start, length = _RECORD.unpack(region(memory, at, _RECORD.size))
        blocks[at] = _RECORD.size
        if kind == _IS_ERROR:
            blocks[start] = length
            return _Returned(None, bytes(region(memory, start, length)[:ERROR_BYTES]), blocks)
        if kind:
            raise BadResult(f"record of kind {kind}; expected 0 or {_IS_ERROR}")
        results = read_results(memory, start, length)
        answer = answer_of(memory, results, limit_bytes=state.call.limits.result_bytes)
        blocks[start] = length * TRIPLE_BYTES
        blocks.update(answer.owned)
        return _Returned(answer, None, blocks)

    def _hand_over(self, call: GuestCall, returned: _Returned) -> GuestEnd | None:
        """
        Write the body of the answer. Return why the guest failed, if it did.
        """
        answer = returned.answer
        if answer is None:
            nothing = b"it returned without a result"
            return GuestFailure(nothing if returned.error is None else returned.error)
        unsent = finish(None, self._context, call)
        if unsent is None and answer.body:
            call.stdout.write(memoryview(answer.body))
        self._kind = answer.kind
        return unsent

    def _free(self, instance: Instance, blocks: _Blocks) -> None:
        # An instance that is not used again need not be cleaned up.
        if self._left:
            self._heap.free(instance, blocks)


def _arguments(call: GuestCall, body: bytes) -> Iterable[tuple[int, memoryview]]:
    """
    Yield the number of elements and the bytes of each argument. By default the body is the only one.
    """
    if call.has_arguments:
        return decode_arguments(body)
    return ((len(body), memoryview(body)),)
