"""Loopback ports for programs that must be told a number before they start."""

from __future__ import annotations

import random
import socket
from collections import deque
from pathlib import Path

__all__ = ["HOST", "free_port"]

HOST = "127.0.0.1"
BLOCK = 50
LOWEST = 10_000
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
EPHEMERAL_BY_DEFAULT = 32_768


def free_port() -> int:
    """
    Return a port that nothing listens on, and that no other call in any process of the rig was given.

    It lies below the range from which the kernel serves outgoing connections, which could otherwise take
    it before its owner binds it.
    """
    while True:
        if not _UNGIVEN:
            _CLAIMS.append(_claim_block())
            first = _CLAIMS[-1].getsockname()[1] + 1
            _UNGIVEN.extend(range(first, first + BLOCK - 1))
        port = _UNGIVEN.popleft()
        if _is_free(port):
            return port


def _claim_block() -> socket.socket:
    """
    Claim a block of ports among processes, by listening on the first of them.

    The claim lasts as long as the socket: the kernel drops it with this process, however that ends.
    """
    starts = list(range(LOWEST, _first_ephemeral() - BLOCK, BLOCK))
    random.shuffle(starts)
    for start in starts:
        claim = socket.socket()
        try:
            claim.bind((HOST, start))
            claim.listen(1)
        except OSError:
            claim.close()
        else:
            return claim
    raise RuntimeError(f"ports from {LOWEST} on: all {len(starts)} blocks of {BLOCK} are claimed")


def _first_ephemeral() -> int:
    """Return where the ephemeral range begins; where it leaves no room below, where Linux has it begin."""
    try:
        first = int(EPHEMERAL_RANGE.read_text().split()[0])
    except OSError:
        return EPHEMERAL_BY_DEFAULT
    return first if first > LOWEST + 10 * BLOCK else EPHEMERAL_BY_DEFAULT


def _is_free(port: int) -> bool:
    """Say whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


# Of the process and not of a test: a port stays given for as long as any child may use it.
_CLAIMS: list[socket.socket] = []
_UNGIVEN: deque[int] = deque()
