"""
``return_result`` and ``return_error``: how a guest of the macro 0.1.x hands over its results.

All published versions of the macro give these imports the same type, but not the same meaning. In the
module ``env`` (0.1.0 to 0.1.8), and in the module ``wasmedge-bindgen`` of 0.1.11, a result is the bytes of a
text or vector. From 0.1.12 it is triples, and the second parameter is their number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wasm_grpc.core.model import Reason
from wasm_grpc.engines.protocol import FuncType, GuestStop, HostFunction, HostModules
from wasm_grpc.hosts.bindgen.bodies import Answer, answer_of, read_raw
from wasm_grpc.hosts.bindgen.results import BadResult, read_results
from wasm_grpc.hosts.bindgen.state import ERROR_BYTES, BindgenState
from wasm_grpc.hosts.protocol import HostContext
from wasm_grpc.hosts.regions import U32_MAX, OutOfBounds, region

__all__ = ["FUNCTIONS", "RETURN_TYPE", "refuse"]

RETURN_TYPE: Final = FuncType(("i32", "i32"))
"""Type of all four functions."""
_ALIGNMENT: Final = 4
"""That of triples, which are a vector of i32."""

_Read = Callable[[memoryview, int, int, int], Answer]


def refuse(problem: BadResult) -> GuestStop:
    """
    Return what ends a guest whose result is bad.
    """
    return GuestStop(Reason.BAD_RESPONSE, f"its result: {problem}")


def _raw(memory: memoryview, at: int, length: int, limit_bytes: int) -> Answer:
    return read_raw(memory, at, length, limit_bytes=limit_bytes)


def _triples_or_raw(memory: memoryview, at: int, count: int, limit_bytes: int) -> Answer:
    # Nothing in the module tells 0.1.11 from later versions, so the contents have to. A text has no NUL, so
    # it never reads as triples.
    if at % _ALIGNMENT:
        return read_raw(memory, at, count, limit_bytes=limit_bytes)
    try:
        results = read_results(memory, at, count)
    except (BadResult, OutOfBounds):
        return read_raw(memory, at, count, limit_bytes=limit_bytes)
    return answer_of(memory, results, limit_bytes=limit_bytes)


def _return_result(module: str, read: _Read) -> HostFunction:
    def return_result(context: HostContext, at: int, count: int) -> None:
        state = context.state_of(BindgenState)
        try:
            answer = read(context.memory(), at & U32_MAX, count & U32_MAX, state.call.limits.result_bytes)
        except OutOfBounds as exc:
            raise exc.as_stop(f"{module}.return_result") from None
        except BadResult as exc:
            raise refuse(exc) from None
        # Copied now: the guest frees it, or uses its memory again, as soon as this has returned.
        state.answer = answer._replace(body=bytes(answer.body))
        state.error = None

    return HostFunction(RETURN_TYPE, return_result)


def _return_error(module: str) -> HostFunction:
    def return_error(context: HostContext, at: int, length: int) -> None:
        state = context.state_of(BindgenState)
        try:
            message = region(context.memory(), at & U32_MAX, length & U32_MAX)
        except OutOfBounds as exc:
            raise exc.as_stop(f"{module}.return_error") from None
        state.answer = None
        state.error = bytes(message[:ERROR_BYTES])

    return HostFunction(RETURN_TYPE, return_error)


FUNCTIONS: Final[HostModules] = {
    ("env", "return_result"): _return_result("env", _raw),
    ("env", "return_error"): _return_error("env"),
    ("wasmedge-bindgen", "return_result"): _return_result("wasmedge-bindgen", _triples_or_raw),
    ("wasmedge-bindgen", "return_error"): _return_error("wasmedge-bindgen"),
}
"""What only a wasmedge-bindgen guest may import."""
