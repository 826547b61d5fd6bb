"""Track the running guest's context, and carry a host function's exception past an engine's native frames."""

from __future__ import annotations

from collections.abc import Callable

from wasm_grpc.engines.protocol import Context, GuestFault, HostFunction, Value
from wasm_grpc.engines.values import narrow

__all__ = ["HostCallEnded", "Running", "bind_host", "empty_memory"]


class HostCallEnded(Exception):
    """
    Raised to make the engine end the guest. The real exception is kept in `Running`.
    """


def empty_memory() -> memoryview:
    """
    Return the memory of an instance that exports none or is closed: an empty view.
    """
    return memoryview(bytearray())


class Running:
    """
    The context of the running guest of one `Prepared`, and the exception that ended the guest.

    The host functions of a `Prepared` are made once and look up the context here, so none of them
    refers to an instance. An engine's adapter sets `context` for each call into a guest and restores
    the previous one afterwards, since calls nest if a host function calls its guest.
    """

    __slots__ = ("_exception", "context")

    def __init__(self) -> None:
        self.context = Context()
        self._exception: BaseException | None = None

    def end(self, name: str, exception: BaseException) -> None:
        """
        Keep the exception of the host function `name` until the engine has left the guest.

        An `Exception` is a bug of ours and becomes a `GuestFault`.
        """
        if isinstance(exception, Exception):
            kind = type(exception).__name__
            fault = GuestFault(f"host function {name} failed with {kind}; this is an error of the server")
            fault.__cause__ = exception
            exception = fault
        self._exception = exception

    def take_exception(self) -> BaseException | None:
        """
        Return the exception that a host function raised, and forget it.
        """
        exception, self._exception = self._exception, None
        return exception


def bind_host(running: Running, name: str, host: HostFunction) -> Callable[..., Value | None]:
    """
    Return a host function as a plain callable, for engines that convert values themselves.
    """
    results = host.type.results

    def call(*args: Value) -> Value | None:
        try:
            value = host.call(running.context, *args)
            return narrow(value, results[0]) if results else None
        except BaseException as exc:  # noqa: BLE001 - none may pass through the engine's frames
            # Engines turn an exception into a trap and lose its type, so it is kept aside.
            running.end(name, exc)
            raise HostCallEnded from None

    return call
