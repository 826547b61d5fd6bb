"""The end of a server's socket."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from wasm_grpc.server.listener import listen, new_server

pytestmark = pytest.mark.asyncio


def descriptors() -> dict[str, str]:
    """Return what each descriptor of this process leads to."""
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        try:
            found[link.name] = str(link.readlink())
        except OSError:
            # That of the listing itself.
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors can be listed on Linux alone")
async def test_a_server_that_ends_keeps_nothing_open() -> None:
    """It looks for its sockets among all descriptors, and leaves no copy of the others: a pipe would never end."""
    server = new_server(body_limit=1)
    async with listen(server, "127.0.0.1", 0):
        while_it_served = set(descriptors())

    assert set(descriptors()) <= while_it_served


async def test_no_more_connections_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Further ones are closed at once, and take no descriptor that a worker may need."""
    monkeypatch.setattr("wasm_grpc.server.listener._CONNECTIONS", 3)
    async with listen(new_server(body_limit=1), "127.0.0.1", 0) as address:
        host, _, port = address.rpartition(":")
        opened = [await asyncio.open_connection(host, int(port)) for _ in range(6)]
        # The server's SETTINGS, or the end.
        greetings = [await asyncio.wait_for(reader.read(1), 5) for reader, _ in opened]
        for _, writer in opened:
            writer.close()

    assert sorted(map(len, greetings)) == [0, 0, 0, 1, 1, 1]
