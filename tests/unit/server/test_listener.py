"""The end of a server's socket."""

from __future__ import annotations

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
