"""
The gate of a server: what is decided on a call before its message is read.

Theory of operation. gRPC reads the message of a unary call, which may be long or never end, before it calls
the method. But first it looks the method up, by its name and the call's metadata. So the gate finds one that
fits:

* A call without the token gets a method that refuses it and reads nothing.
* A call that needs no token needs no message either, and gets a method that reads none.
* Any other call gets the method itself. If many calls have no message yet, somebody stalls. Further calls get
  a method then that reads the message itself, and refuses one that takes too long. That takes one more
  exchange with gRPC's core, so it isn't used for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import grpc

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason
from wasm_grpc.invocation.environment import Metadata
from wasm_grpc.server.failures import Context, abort

__all__ = ["Admission", "Gate"]

_UNREAD_CALLS = 32
"""So many calls may have no message yet before further ones read theirs themselves."""
_MESSAGE_S = 30.0
"""The longest that the message of such a call may take."""

_Method = Callable[[Any, Context], Awaitable[Any]]
_Stream = Callable[[object, Context], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Admission:
    """
    Who may make a call.

    Attributes:
        accepts: Whether a call with this metadata may be made.
        refuse: Ends one that may not.
    """

    accepts: Callable[[Metadata], bool]
    refuse: Callable[[Context], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Served:
    accepts: Callable[[Metadata], bool] | None
    refusing: grpc.RpcMethodHandler[Any, Any]
    serving: grpc.RpcMethodHandler[Any, Any]
    reading: grpc.RpcMethodHandler[Any, Any] | None


class Gate(grpc.GenericRpcHandler):
    """
    Serves methods that are added to it. Used on the event loop's thread only.
    """

    def __init__(self) -> None:
        self._served: dict[str, _Served] = {}
        self._unread: set[asyncio.Task[Any]] = set()

    def add(self, method: str, handler: grpc.RpcMethodHandler[Any, Any], admission: Admission | None) -> None:
        """
        Serve a method.

        Args:
            method: Its full name, as ``/package.Service/Method``.
            handler: Serves it.
            admission: Who may call it; None for a unary method that anybody may call, with an empty message.
        """
        if admission is None:
            unread = _stream(_without_message(handler), handler)
            self._served[method] = _Served(None, unread, unread, None)
            return
        refusing = _stream(_refusing(admission), handler)
        if handler.request_streaming:
            self._served[method] = _Served(admission.accepts, refusing, handler, None)
            return
        self._served[method] = _Served(
            admission.accepts,
            refusing,
            grpc.unary_unary_rpc_method_handler(
                self._counted(_method_of(handler)),
                request_deserializer=handler.request_deserializer,
                response_serializer=handler.response_serializer,
            ),
            _stream(_reading(_method_of(handler)), handler),
        )

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """
        See `grpc.GenericRpcHandler`. Called in the task of the call, before its message is read.
        """
        served = self._served.get(details.method)
        if served is None:
            return None
        if served.accepts is not None and not served.accepts(details.invocation_metadata):
            return served.refusing
        if served.reading is not None:
            if self._is_crowded():
                return served.reading
            task = asyncio.current_task()
            if task is not None:
                self._unread.add(task)
        return served.serving

    def _is_crowded(self) -> bool:
        if len(self._unread) < _UNREAD_CALLS:
            return False
        # A call that was cancelled before its message came has not left by itself.
        self._unread = {task for task in self._unread if not task.done()}
        return len(self._unread) >= _UNREAD_CALLS

    def _counted(self, method: _Method) -> _Method:
        async def serve(request: Any, context: Context) -> Any:
            task = asyncio.current_task()
            if task is not None:
                self._unread.discard(task)
            return await method(request, context)

        return serve


def _reading(method: _Method) -> _Stream:
    async def serve(_: object, context: Context) -> None:
        try:
            request = await asyncio.wait_for(context.read(), _MESSAGE_S)
        except asyncio.TimeoutError:
            await _refuse_slow(context)
        if request is not grpc.aio.EOF:
            await context.write(await method(request, context))

    return serve


async def _refuse_slow(context: Context) -> NoReturn:
    error = InvocationError(
        Reason.INVALID_REQUEST,
        f"its message was not complete within {_MESSAGE_S:g} s; expected a faster caller",
    )
    await abort(context, error, "")


def _refusing(admission: Admission) -> _Stream:
    async def refuse(_: object, context: Context) -> None:
        await admission.refuse(context)

    return refuse


def _without_message(handler: grpc.RpcMethodHandler[Any, Any]) -> _Stream:
    method = _method_of(handler)
    empty = cast(Callable[[bytes], Any], handler.request_deserializer)(b"")

    async def serve(_: object, context: Context) -> None:
        await context.write(await method(empty, context))

    return serve


def _method_of(handler: grpc.RpcMethodHandler[Any, Any]) -> _Method:
    # The stubs declare the methods of synchronous servers.
    return cast(_Method, handler.unary_unary)


def _stream(method: _Stream, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
    return grpc.stream_stream_rpc_method_handler(
        method,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
