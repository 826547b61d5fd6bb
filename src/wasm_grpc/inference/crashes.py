"""
A crash in native code ends the process, whatever handlers of signals an engine has installed.

Wasmer takes every fault during a call into a guest for that guest's trap, and jumps over the frames
of what the guest called; a backend that is left so may hang, or answer wrongly ever after.
"""

from __future__ import annotations

import ctypes
import signal
from types import TracebackType

__all__ = ["FatalFaults"]

_FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
_SIGACTION_BYTES = 256
"""More than ``struct sigaction`` has on any platform (glibc on x86-64: 152). All zeroes are ``SIG_DFL``."""


class FatalFaults:
    """
    While it is entered, faults have their default effect; entered by one thread, and not twice at once.
    """

    __slots__ = ("_default", "_kept", "_sigaction")

    def __init__(self) -> None:
        # Not by `signal`, which can't give back a handler that is not Python's.
        self._sigaction = ctypes.CDLL(None).sigaction
        self._default = ctypes.create_string_buffer(_SIGACTION_BYTES)
        self._kept = [(int(fault), ctypes.create_string_buffer(_SIGACTION_BYTES)) for fault in _FAULTS]

    def __enter__(self) -> None:
        for fault, kept in self._kept:
            self._sigaction(fault, self._default, kept)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for fault, kept in self._kept:
            self._sigaction(fault, kept, None)
