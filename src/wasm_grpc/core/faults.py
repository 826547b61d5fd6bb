"""
Make a crash in a library's native code end the process, whatever signal handlers an engine has installed.

Wasmer treats every fault during a call into a guest as the guest's trap, and jumps over the frames of
the host function that the guest called. A library that is abandoned like this may hang, or return wrong
results from then on.
"""

from __future__ import annotations

import ctypes
import signal
from types import TracebackType

__all__ = ["FatalFaults"]

_FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
_SIGACTION_BYTES = 256
"""More than ``struct sigaction`` has on any platform (glibc on x86-64: 152). All zeros mean ``SIG_DFL``."""


class FatalFaults:
    """
    A context in which faults have their default effect. Enter it from one thread, and don't nest it.
    """

    __slots__ = ("_default", "_saved", "_sigaction")

    def __init__(self) -> None:
        # Not with `signal`, which can't restore a handler that was not set from Python.
        self._sigaction = ctypes.CDLL(None).sigaction
        self._default = ctypes.create_string_buffer(_SIGACTION_BYTES)
        self._saved = [(int(fault), ctypes.create_string_buffer(_SIGACTION_BYTES)) for fault in _FAULTS]

    def __enter__(self) -> None:
        for fault, saved in self._saved:
            self._sigaction(fault, self._default, saved)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for fault, saved in self._saved:
            self._sigaction(fault, saved, None)
