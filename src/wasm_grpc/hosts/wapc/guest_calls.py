"""``__guest_*``: how a waPC guest gets its request and hands over its response or error."""

from __future__ import annotations

from typing import Final

from wasm_grpc.core.model import KIB, Reason
from wasm_grpc.engines.protocol import GuestStop
from wasm_grpc.hosts.regions import put, region
from wasm_grpc.hosts.wapc.calls import declare
from wasm_grpc.hosts.wapc.state import WapcState

__all__ = ["FUNCTIONS"]

_ERROR_BYTES: Final = 2 * KIB
"""How much of an error message is kept. It leaves room for the guest's log in what the caller is told."""


def _guest_request(state: WapcState, memory: memoryview, operation_at: int, payload_at: int) -> None:
    put(memory, operation_at, state.operation)
    put(memory, payload_at, state.payload)


def _guest_response(state: WapcState, memory: memoryview, at: int, length: int) -> None:
    response = region(memory, at, length)
    limit_bytes = state.call.limits.result_bytes
    if length > limit_bytes:
        raise GuestStop(
            Reason.OUTPUT_LIMIT,
            f"guest handed over a response of {length} bytes; expected at most {limit_bytes}",
            limit="limits.output",
        )
    # The last one counts, as in wapc-rs and wapc-go.
    state.response = bytes(response)


def _guest_error(state: WapcState, memory: memoryview, at: int, length: int) -> None:
    state.error = bytes(region(memory, at, length)[:_ERROR_BYTES])


FUNCTIONS: Final = {
    "__guest_error": declare("__guest_error", 2, _guest_error),
    "__guest_request": declare("__guest_request", 2, _guest_request),
    "__guest_response": declare("__guest_response", 2, _guest_response),
}
