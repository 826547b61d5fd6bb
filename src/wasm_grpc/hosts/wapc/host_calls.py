"""``__host_*`` and ``__console_log``: how any guest calls Dapr, and writes a line to its log."""

from __future__ import annotations

from typing import Final, NamedTuple

from wasm_grpc.core.wire import DaprStatus
from wasm_grpc.hosts.protocol import Dapr
from wasm_grpc.hosts.regions import OutOfBounds, put, region
from wasm_grpc.hosts.wapc.calls import declare
from wasm_grpc.hosts.wapc.state import WapcState

__all__ = ["FUNCTIONS"]

_FAILED: Final = 0
_SUCCEEDED: Final = 1

_BINDING: Final = b"dapr"
_IS_JSON: Final = {b"json": True, b"protobuf": False}
_NAME_BYTES: Final = 256
"""Limit on a name, far above the longest method of Dapr's API. It bounds what a guest has the host copy."""


class _Refusal(Exception):
    """
    The call does not reach Dapr. The message says what is wrong and what was expected.
    """


class _Call(NamedTuple):
    """
    A call to Dapr that the host has read from guest memory.
    """

    dapr: Dapr
    method: str
    request: bytes
    is_json: bool


def _host_call(state: WapcState, memory: memoryview, *regions: int) -> int:
    state.host_response = state.host_error = b""
    try:
        call = _read_call(state, memory, *regions)
    except (OutOfBounds, _Refusal) as exc:
        state.call.log(f"wapc: __host_call: {exc}")
        state.host_error = str(exc).encode()
        return _FAILED
    answer = call.dapr.call(call.method, call.request, is_json=call.is_json)
    if answer.status is DaprStatus.OK:
        state.host_response = answer.response
        return _SUCCEEDED
    if answer.status is DaprStatus.DENIED:
        state.call.deny(answer.message)
    state.host_error = answer.message.encode("utf-8", "replace")
    return _FAILED


def _read_call(
    state: WapcState,
    memory: memoryview,
    binding_at: int,
    binding_len: int,
    namespace_at: int,
    namespace_len: int,
    operation_at: int,
    operation_len: int,
    payload_at: int,
    payload_len: int,
) -> _Call:
    """
    Read the arguments of ``__host_call``.

    Raises:
        OutOfBounds: Some are not inside memory.
        _Refusal: They name nothing that the guest may call, or are too long.
    """
    dapr = _dapr(state, _name(memory, binding_at, binding_len, "binding"))
    namespace = _name(memory, namespace_at, namespace_len, "namespace")
    method = _name(memory, operation_at, operation_len, "operation").decode("utf-8", "replace")
    payload = region(memory, payload_at, payload_len)
    limit_bytes = state.call.limits.result_bytes
    if payload_len > limit_bytes:
        raise _Refusal(f"payload of {payload_len} bytes; expected at most {limit_bytes}")
    return _Call(dapr, method, bytes(payload), _is_json(namespace, payload))


def _name(memory: memoryview, at: int, length: int, what: str) -> bytes:
    name = region(memory, at, length)
    if length > _NAME_BYTES:
        raise _Refusal(f"{what} of {length} bytes; expected at most {_NAME_BYTES}")
    return bytes(name)


def _dapr(state: WapcState, binding: bytes) -> Dapr:
    dapr = state.call.dapr
    # One sentence for both, so that a guest without grants can't tell whether there is Dapr.
    if dapr is None or binding != _BINDING:
        raise _Refusal(f"binding {_shown(binding)} is unknown; expected one that the function was granted")
    return dapr


def _is_json(namespace: bytes, payload: memoryview) -> bool:
    if not namespace:
        # No protobuf message of the API begins with "{": 0x7B is the tag of field 15 as the start of a group,
        # and proto3 has no groups.
        return bytes(payload[:1]) == b"{"
    if namespace not in _IS_JSON:
        raise _Refusal(f"namespace {_shown(namespace)} is unknown; expected 'json' or 'protobuf'")
    return _IS_JSON[namespace]


def _shown(name: bytes) -> str:
    return repr(name.decode("utf-8", "replace"))


def _host_response_len(state: WapcState, _: memoryview) -> int:
    return len(state.host_response)


def _host_response(state: WapcState, memory: memoryview, at: int) -> None:
    put(memory, at, state.host_response)


def _host_error_len(state: WapcState, _: memoryview) -> int:
    return len(state.host_error)


def _host_error(state: WapcState, memory: memoryview, at: int) -> None:
    put(memory, at, state.host_error)


def _console_log(state: WapcState, memory: memoryview, at: int, length: int) -> None:
    # The log keeps no more than its end, so there is no use in copying more.
    line = region(memory, at, length)
    kept = line[max(0, len(line) - state.call.limits.stderr_bytes) :]
    state.call.log(bytes(kept).decode("utf-8", "replace"))


FUNCTIONS: Final = {
    "__console_log": declare("__console_log", 2, _console_log),
    "__host_call": declare("__host_call", 8, _host_call, has_result=True),
    "__host_error": declare("__host_error", 1, _host_error),
    "__host_error_len": declare("__host_error_len", 0, _host_error_len, has_result=True),
    "__host_response": declare("__host_response", 1, _host_response),
    "__host_response_len": declare("__host_response_len", 0, _host_response_len, has_result=True),
}
