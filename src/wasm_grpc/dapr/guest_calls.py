"""
Guests' calls to Dapr: each is checked against its function's grants, and passed on to the sidecar.

This is the one place that decides. A worker's word counts for nothing but the request itself: function,
grants, trace and depth are those of the invocation that the server gave it. The sidecar's token is added
here. A guest gets the code of an error but not the sidecar's text, which may name hosts and files; the
server's log has it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import grpc

from wasm_grpc.core.metadata import DEPTH_KEY
from wasm_grpc.core.model import DAPR_MESSAGE_BYTES, DEPTH_LIMIT, Invocation, WorkerFunction
from wasm_grpc.core.text import escaped
from wasm_grpc.core.wire import DaprAnswer, DaprCall, DaprStatus
from wasm_grpc.dapr.guest_messages import read_request, write_response
from wasm_grpc.dapr.guest_methods import METHODS, InvalidRequestError, Method
from wasm_grpc.dapr.pauses import Pauses
from wasm_grpc.dapr.sidecar import Metadata, Sidecar, describe, trace_metadata

__all__ = ["GuestCalls"]

_log = logging.getLogger("wasm_grpc.dapr")

_T = TypeVar("_T")


_INLINE_BYTES: Final = 4096
"""
Longest message, in bytes, that is read, checked or written on the event loop. A longer one goes to a thread.

Parsing JSON takes up to 10 µs for each member of an object.
"""
_MESSAGE_CHARACTERS: Final = 500
_NESTING: Final = "InvokeService"
"""The method that can lead to another invocation while the guest waits."""
_NAMES: Final = ", ".join(METHODS)


class GuestCalls:
    """
    A `DaprApi` on one sidecar. Safe for concurrent calls.
    """

    def __init__(self, sidecar: Sidecar | None) -> None:
        """
        Pass calls to a sidecar; ``None`` if none is configured.
        """
        self._sidecar = sidecar
        self._turn = asyncio.Lock()
        self._pauses = Pauses()

    @property
    def has_sidecar(self) -> bool:
        """
        See `DaprApi.has_sidecar`.
        """
        return self._sidecar is not None

    async def call(
        self, call: DaprCall, invocation: Invocation, function: WorkerFunction, *, timeout_s: float
    ) -> DaprAnswer:
        """
        See `DaprApi.call`.
        """
        try:
            return await self._call(call, invocation, function, timeout_s=timeout_s)
        except _NotCalled as exc:
            return exc.answer
        except Exception:  # noqa: BLE001 - the edge
            # A bug of ours, or of a library that reads what guests send. The guest waits for an answer.
            _log.exception("invocation %s: call to Dapr", invocation.id)
            return _NotCalled(DaprStatus.FAILED, f"INTERNAL: {call.method}: the server failed").answer

    async def _call(
        self, call: DaprCall, invocation: Invocation, function: WorkerFunction, *, timeout_s: float
    ) -> DaprAnswer:
        method = _method(call, function)
        # Reading and checking may both take long.
        request = await self._run(len(call.request), lambda: _checked(method, call, invocation, function))
        if self._sidecar is None:
            raise _NotCalled(DaprStatus.UNAVAILABLE, f"{method.name}: this server has no sidecar")
        app_id = request.id if method.name == _NESTING else ""
        if app_id and self._pauses.is_paused(function.name, app_id):
            raise _NotCalled(
                DaprStatus.UNAVAILABLE, f"{method.name}: app {app_id!r} has not answered for a while"
            )
        began_s = time.monotonic()
        try:
            response = await self._sidecar.call(
                method.name, request, metadata=_metadata(method, invocation), timeout_s=timeout_s
            )
        except grpc.aio.AioRpcError as exc:
            took_s, limit_s = time.monotonic() - began_s, function.limits.dapr_timeout_s
            if app_id:
                self._pauses.failed(function.name, app_id, took_s=took_s, limit_s=limit_s)
            if exc.code() is grpc.StatusCode.DEADLINE_EXCEEDED and limit_s is not None and took_s >= limit_s:
                return _failed(
                    exc.code().name, method, f"no answer within {limit_s:g} s (limits.dapr_timeout)"
                )
            return _refused(exc, method, invocation)
        size = response.ByteSize()
        if size > DAPR_MESSAGE_BYTES:
            message = f"response of {size} bytes; expected at most {DAPR_MESSAGE_BYTES}"
            return _failed("RESOURCE_EXHAUSTED", method, message)

        def write() -> bytes:
            method.keep_granted(request, response, function.grants.dapr)
            return write_response(response, is_json=call.is_json)

        return DaprAnswer(DaprStatus.OK, response=await self._run(size, write))

    async def _run(self, size: int, work: Callable[[], _T]) -> _T:
        """
        Do some work on a message of this size, on a thread if it may take long.
        """
        if size <= _INLINE_BYTES:
            return work()
        # One thread at a time: several are no faster, and the event loop waits for each of them in turn.
        async with self._turn:
            return await asyncio.to_thread(work)


class _NotCalled(Exception):
    """
    Dapr is not called; the answer says why.
    """

    def __init__(self, status: DaprStatus, message: str) -> None:
        super().__init__(message)
        # It quotes the request, which may hold anything.
        line = escaped(message)
        more = "…" if len(line) > _MESSAGE_CHARACTERS else ""
        self.answer = DaprAnswer(status, line[:_MESSAGE_CHARACTERS] + more)


def _method(call: DaprCall, function: WorkerFunction) -> Method:
    method = METHODS.get(call.method)
    if method is None or not function.grants.dapr.is_granted:
        message = f"{call.method[: _MESSAGE_CHARACTERS // 5]!r} may not be called; expected one of {_NAMES}"
        raise _NotCalled(DaprStatus.DENIED, message)
    return method


def _checked(method: Method, call: DaprCall, invocation: Invocation, function: WorkerFunction) -> Any:
    """
    Return the request for the sidecar, if the function may make it.
    """
    size = len(call.request)
    if size > DAPR_MESSAGE_BYTES:
        message = f"{method.name}: request of {size} bytes; expected at most {DAPR_MESSAGE_BYTES}"
        raise _NotCalled(DaprStatus.INVALID, message)
    try:
        request = read_request(method, call.request, is_json=call.is_json)
        denial = method.denial(request, function.grants.dapr)
    except InvalidRequestError as exc:
        raise _NotCalled(DaprStatus.INVALID, f"{method.name}: request: {exc}") from exc
    if denial:
        raise _NotCalled(DaprStatus.DENIED, f"{method.name}: {denial}")
    if method.name == _NESTING and invocation.origin.depth >= DEPTH_LIMIT:
        raise _NotCalled(
            DaprStatus.FAILED,
            f"RESOURCE_EXHAUSTED: {method.name}: {DEPTH_LIMIT} invocations led here already",
        )
    method.continue_trace(request, invocation.origin.trace)
    return request


def _metadata(method: Method, invocation: Invocation) -> Metadata:
    """
    Return the metadata of a call: the invocation's trace, and how deep an invocation that it leads to is.
    """
    metadata = trace_metadata(invocation.origin.trace)
    if method.name == _NESTING:
        return (*metadata, (DEPTH_KEY, str(invocation.origin.depth + 1)))
    return metadata


def _refused(error: grpc.aio.AioRpcError, method: Method, invocation: Invocation) -> DaprAnswer:
    code = error.code()
    _log.info("invocation %s: %s: %s", invocation.id, method.name, describe(error))
    if code is grpc.StatusCode.UNAVAILABLE:
        # The sidecar's own, or that of an app: daprd passes it on, and the guest can't do anything else.
        return DaprAnswer(DaprStatus.UNAVAILABLE, f"{method.name}: Dapr or the app can't be reached")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        # Also that of our own channel.
        return _failed(code.name, method, f"Dapr answered with this, or with over {DAPR_MESSAGE_BYTES} bytes")
    return _failed(code.name, method, "Dapr answered with this error")


def _failed(code: str, method: Method, message: str) -> DaprAnswer:
    return DaprAnswer(DaprStatus.FAILED, f"{code}: {method.name}: {message}")
