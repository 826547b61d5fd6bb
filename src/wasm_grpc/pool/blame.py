"""
Which functions are to blame for processes that ended while they loaded them, and are not loaded for a while.

Theory of operation. If a process dies while it loads a function, or exceeds its time, the function is taken
for the cause. One death may be chance (somebody killed the process), so it counts only from the second on; a
time-out counts at once. A function that is the cause is *blocked*: for `BLOCKED_S` no process loads it, its
calls are refused with the reason, and all others are served. Then the next call tries it once more.

A process that loads the function clears it of the deaths before. A worker clears it only of those of workers:
a function may load in each worker, and still end each template that loads it afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from wasm_grpc.core.model import MIB
from wasm_grpc.pool.process import exit_text

__all__ = ["BLOCKED_S", "LOAD_S", "Blames"]

_log = logging.getLogger("wasm_grpc.pool")

BLOCKED_S = 30.0
"""A worker is lost for each further try, and what is wrong with a function seldom mends itself."""
LOAD_S = 10.0
"""The longest that loading a function may take: a 20 MB artifact takes some 50 ms, a model 0.2 s."""
_DEATHS = 2


@dataclass(slots=True)
class _Blame:
    worker_deaths: int = 0
    template_deaths: int = 0
    reason: str = ""
    until_s: float = 0.0


class Blames:
    """
    The record of one server; functions are named by their index in the messages to a worker.

    Times are those of the event loop's clock, in seconds.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """
        Blame nothing yet.

        Args:
            names: Of the functions, by index.
        """
        self._names = names
        self._blames: dict[int, _Blame] = {}

    def loaded(self, index: int, *, is_template: bool = False) -> None:
        """
        Forget what was held against a function: a process has loaded it.

        Args:
            index: The function's.
            is_template: The process is a template.
        """
        blame = self._blames.get(index)
        if blame is None:
            return
        if is_template or not blame.template_deaths:
            del self._blames[index]
        else:
            blame.worker_deaths = 0

    def failed(self, index: int, pid: int, error: str) -> None:
        """
        Log that a process can't load a function, and lives on.
        """
        _log.error("function '%s': worker %d can't load it: %s", self._names[index], pid, error)

    def died(
        self,
        index: int,
        pid: int,
        code: int,
        now_s: float,
        *,
        memory_bytes: int,
        is_template: bool = False,
    ) -> None:
        """
        Blame, and log, that a process died while it loaded a function.

        Args:
            index: The function's.
            pid: The process's id.
            code: Its exit code, minus the signal if it was killed.
            now_s: The time.
            memory_bytes: What it might take; more would show in its exit only as a crash.
            is_template: The process was a template.
        """
        if not self.blocked(index, now_s):
            blame = self._blames.setdefault(index, _Blame())
            if is_template:
                blame.template_deaths += 1
            else:
                blame.worker_deaths += 1
            if blame.worker_deaths + blame.template_deaths >= _DEATHS:
                self._block(blame, f"its worker died while loading it ({exit_text(code)})", now_s)
        blocked = self.blocked(index, now_s)
        _log.error(
            "function '%s': worker %d ended with %s while loading it; %s "
            "(a worker may take %d MiB, which WASM_GRPC_WORKER_BYTES raises)",
            self._names[index],
            pid,
            exit_text(code),
            f"its calls are refused for {BLOCKED_S:g} s ({blocked})" if blocked else "it is tried once more",
            memory_bytes // MIB,
        )

    def delayed(self, index: int, now_s: float) -> None:
        """
        Blame that a process took longer than `LOAD_S` to load a function; the caller kills it.
        """
        blame = self._blames.setdefault(index, _Blame())
        self._block(blame, f"its worker took longer than {LOAD_S:g} s to load it", now_s)

    def blocked(self, index: int, now_s: float) -> str:
        """
        Return why no process loads the function for now; "" where one may.
        """
        blame = self._blames.get(index)
        return blame.reason if blame is not None and now_s < blame.until_s else ""

    def _block(self, blame: _Blame, reason: str, now_s: float) -> None:
        blame.reason = reason
        blame.until_s = now_s + BLOCKED_S
