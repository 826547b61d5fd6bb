"""How much memory a peer takes with few functions and with many."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.field.builds import Built
from benchmarks.field.findings import MemoryUse
from benchmarks.field.layout import Ground, lay_out_copies
from benchmarks.field.peers import Peer, all_peers
from benchmarks.field.running import Rig, open_peer
from benchmarks.machine import pss_mib

__all__ = ["measure_memory"]

_BODY = bytes(64)


def measure_memory(
    engines: Sequence[str], built: Built, rig: Rig, *, counts: Sequence[int]
) -> dict[str, list[MemoryUse]]:
    """
    Start each peer that runs modules with so many functions, call each function once, and read its memory.

    Args:
        engines: Ours.
        built: The programs that were built.
        rig: Measures.
        counts: Numbers of functions.

    Raises:
        ProgramError: A program or a call failed.
    """
    found: dict[str, list[MemoryUse]] = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            ground = lay_out_copies(count, Path(folder))
            for peer in all_peers(engines, built, ground):
                rig.tell(f"field, memory, {count} functions, {peer.title}")
                if peer.is_ours:
                    # The first start compiles; it is the next one that counts.
                    with open_peer(peer, rig):
                        pass
                found.setdefault(peer.key, []).append(_measure(peer, ground, rig))
    return found


def _measure(peer: Peer, ground: Ground, rig: Rig) -> MemoryUse:
    begin = time.perf_counter()
    with open_peer(peer, rig) as running:
        start_s = time.perf_counter() - begin
        for method in ground.methods:
            running.call(method, _BODY)
        return MemoryUse(
            functions=len(ground.methods),
            daprd_mib=pss_mib(running.daprd_pid),
            app_mib=0.0 if running.app_pid is None else pss_mib(running.app_pid),
            start_s=start_s,
        )
