"""The rig's ports."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from rig.ports import BLOCK, HOST, free_port
from rig.processes import child

TESTS = Path(__file__).resolve().parents[1]

# Keeps its claims until it is ended.
CHOOSE = """
import signal
from rig.ports import free_port
print(*(free_port() for _ in range(40)), flush=True)
signal.pause()
"""


def test_no_port_is_given_twice() -> None:
    """A process is given each port once, beyond the size of a block too."""
    ports = [free_port() for _ in range(2 * BLOCK)]

    assert len(set(ports)) == len(ports)


@pytest.mark.asyncio
async def test_processes_are_given_different_ports() -> None:
    """Two processes that choose at the same time share no port."""
    command = sys.executable, "-c", CHOOSE

    async with child(*command, cwd=TESTS) as one, child(*command, cwd=TESTS) as other:
        first = await one.line(r"\d", timeout_s=10)
        second = await other.line(r"\d", timeout_s=10)

    assert len({*first.string.split(), *second.string.split()}) == 2 * 40


def test_a_port_can_be_listened_on() -> None:
    """What is given can be bound."""
    with socket.socket() as server:
        server.bind((HOST, free_port()))
        server.listen()
