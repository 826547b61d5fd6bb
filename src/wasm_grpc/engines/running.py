"""Which context's guest runs now, and how a host function's exception gets past an engine's frames."""

from __future__ import annotations

from collections.abc import Callable

from wasm_grpc.engines.protocol import Context, GuestFault, HostFunction, Value
from wasm_grpc.engines.values import narrow

__all__ = ["HostCallEnded", "Running", "bind_host", "empty_memory"]


class HostCallEnded(Exception):
    """
    Raised towards the engine so that it ends the guest; the real exception waits in `Running`.
    """


def empty_memory() -> memoryview:
    """
    The memory of an instance that exports none, or that is closed.
    """
    return memoryview(bytearray())


class Running:
    """
    The guest that runs now, of one `Prepared`: its context, and what ended it.

    The host functions of a `Prepared` are made once and look up the context here, so none of them
    holds an instance. An engine's adapter sets `context` around each call into a guest and puts
    the former one back: calls nest where a host function calls its guest.
    """

    __slots__ = ("_exception", "context")

    def __init__(self) -> None:
        self.context = Context()
        self._exception: BaseException | None = None

    def end(self, name: str, exception: BaseException) -> None:
        """
        Keep what the host function `name` raised, until the engine has left the guest.

        An `Exception` is an error of ours and becomes a `GuestFault`.
        """
        if isinstance(exception, Exception):
            kind = type(exception).__name__
            fault = GuestFault(f"host function {name} failed with {kind}; this is an error of the server")
            fault.__cause__ = exception
            exception = fault
        self._exception = exception

    def take_exception(self) -> BaseException | None:
        """
        What a host function raised, once.
        """
        exception, self._exception = self._exception, None
        return exception


def bind_host(running: Running, name: str, host: HostFunction) -> Callable[..., Value | None]:
    """
    The host function as a plain callable for engines that convert values themselves.
    """
    results = host.type.results

    def call(*args: Value) -> Value | None:
        try:
            value = host.call(running.context, *args)
            return narrow(value, results[0]) if results else None
        except BaseException as exc:  # noqa: BLE001 - none may pass through the engine's frames
            running.end(name, exc)
            raise HostCallEnded from None

    return call
