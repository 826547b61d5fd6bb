"""
Call a function that was built with wasm-bindgen by rustwasmc, as WasmEdge's ``ExecuteBindgen`` does.

The host gets memory for the argument from ``__wbindgen_malloc``, and calls the function with the address for
its result, and the address and length of the argument. The result is an address and a length too. The
function frees the argument, and the host the result.

A module doesn't show what its other functions take: two i32 may be numbers or a text. So only those that take
bytes or a text and return bytes or a text are called.

Source: what wasm-bindgen 0.2.61, which rustwasmc pins, generates for JavaScript; WasmEdge's documentation of
2021, "Embed a bindgen function".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from wasm_grpc.core.arguments import decode_arguments
from wasm_grpc.engines.protocol import GuestExit, GuestStop, GuestTrap, Instance
from wasm_grpc.guests.bindgen.conventions import FREE, MALLOC, WASM_BINDGEN_CALLED
from wasm_grpc.guests.binding import finish
from wasm_grpc.guests.endings import GuestEnd, GuestFailure, without_frames
from wasm_grpc.guests.interfaces import INITIALIZE, START
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.guests.reactor import INITIALISER_TYPE, Reactor, with_error
from wasm_grpc.hosts.bindgen.bodies import read_raw
from wasm_grpc.hosts.regions import U32_MAX, OutOfBounds, put, region

__all__ = ["ReadyWasmBindgen"]

_RESULT_AT: Final = 8
"""Where the result's address and length are written: below the stack and the data of Rust's modules."""
_RESULT: Final = struct.Struct("<II")


class ReadyWasmBindgen(Reactor):
    """
    A `ReadyGuest`: see `Reactor`.
    """

    __slots__ = ()

    def _answer(self, instance: Instance, call: GuestCall, body: bytes) -> tuple[GuestEnd | None, bool]:
        function = call.operation.decode("utf-8", "replace")
        if self._prepared.function_type(function) != WASM_BINDGEN_CALLED:
            wanted = "that takes and returns bytes or a text"
            return GuestFailure(f"it exports no function {function!r} {wanted}".encode()), True
        arguments = list(decode_arguments(body)) if call.has_arguments else [(len(body), memoryview(body))]
        problem = _problem(arguments)
        if problem is not None:
            return GuestFailure(problem), True
        ((_, content),) = arguments
        try:
            self._initialise(instance)
            return self._call(instance, call, function, content), True
        except OutOfBounds as exc:
            return exc.as_stop(function), False
        except GuestStop as stop:
            return without_frames(stop), False
        except (GuestExit, GuestTrap) as failure:
            return with_error(without_frames(failure), None), False

    def _initialisers(self) -> Iterator[str]:
        for name in (INITIALIZE, START):
            if self._prepared.function_type(name) == INITIALISER_TYPE:
                yield name
                return

    def _call(
        self, instance: Instance, call: GuestCall, function: str, content: memoryview
    ) -> GuestEnd | None:
        """
        Call a function, and write its result.

        Raises:
            GuestExit, GuestStop, GuestTrap: See `Instance.call`.
            OutOfBounds: The argument's memory, or the result, is not inside the guest's memory.
        """
        argument_at = int(instance.call(MALLOC, len(content))[0]) & U32_MAX
        put(self._context.memory(), argument_at, content)
        # Some functions of this type return nothing. Then an earlier caller's result must not be found here.
        put(self._context.memory(), _RESULT_AT, bytes(_RESULT.size))
        instance.call(function, _RESULT_AT, argument_at, len(content))
        memory = self._context.memory()
        at, length = _RESULT.unpack(region(memory, _RESULT_AT, _RESULT.size))
        if not at:
            # Also an empty result of Rust's has an address.
            return GuestFailure(b"it returned without a result")
        answer = read_raw(memory, at, length, limit_bytes=call.limits.result_bytes)
        unsent = finish(None, self._context, call)
        if unsent is None and length:
            call.stdout.write(memoryview(answer.body))
        if self._left:
            instance.call(FREE, at, length)
        return unsent


def _problem(arguments: Sequence[tuple[int, memoryview]]) -> bytes | None:
    """
    Return why the arguments are not one text or one array of u8; ``None`` if they are.
    """
    if len(arguments) != 1:
        return f"its function takes one argument, not {len(arguments)}".encode()
    ((count, content),) = arguments
    if count != len(content):
        return b"its function takes bytes or a text, not a number or an array"
    return None
