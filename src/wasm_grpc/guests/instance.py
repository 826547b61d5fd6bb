"""What the instances of every guest interface have in common: how they are made and freed."""

from __future__ import annotations

from wasm_grpc.engines.protocol import GuestTrap, Instance, Prepared
from wasm_grpc.guests.endings import GuestEnd, without_frames
from wasm_grpc.hosts.wasi.context import WasiContext

__all__ = ["GuestInstance"]


class GuestInstance:
    """
    The part of a `ReadyGuest` that doesn't depend on the guest interface.

    Attributes:
        _context: Where WASI keeps what belongs to the instance.
        _instance: The engine's instance; ``None`` if it couldn't be made, and once it is closed.
        _end: How the guest ended while it was instantiated; ``None`` if it did not.
        _is_spent: See `is_spent`; `run` sets it.
    """

    __slots__ = ("_context", "_end", "_instance", "_is_spent")

    def __init__(self, prepared: Prepared, *, memory_bytes: int) -> None:
        self._context = WasiContext()
        self._instance: Instance | None = None
        self._end: GuestEnd | None = None
        self._is_spent = False
        try:
            self._instance = prepared.instantiate(self._context, memory_bytes=memory_bytes)
        except GuestTrap as end:
            self._end = without_frames(end)

    @property
    def is_spent(self) -> bool:
        """
        See `ReadyGuest.is_spent`.
        """
        return self._is_spent

    @property
    def taint(self) -> str:
        """
        See `ReadyGuest.taint`.
        """
        end = self._end
        return str(end) if isinstance(end, GuestTrap) and end.is_process_tainted else ""

    def close(self) -> None:
        """
        See `ReadyGuest.close`.
        """
        instance, self._instance = self._instance, None
        if instance is not None:
            instance.close()
