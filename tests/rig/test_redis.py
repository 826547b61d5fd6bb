"""The rig's Redis."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rig import redis

pytestmark = pytest.mark.asyncio


async def test_redis_answers_at_its_address(tmp_path: Path) -> None:
    """The address that is yielded is that of a Redis."""
    async with redis(tmp_path) as address:
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"PING\r\n")
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()

    assert answer == b"+PONG\r\n"


async def test_a_machine_without_redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that needs Redis is skipped with the remedy, or fails in CI."""
    monkeypatch.setenv("REDIS_SERVER", str(tmp_path / "redis-server"))
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception) as caught:
        async with redis(tmp_path):
            pass

    assert str(caught.value) == "no redis-server; expected Debian's package, or REDIS_SERVER to name one"
