"""Workers that were taken over, and send as much as they can: their neighbours hardly notice."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from pathlib import Path

import grpc
import pytest

from hostile.conftest import StartHostile
from integration.client import Caller, connect
from integration.guests import write_function, write_functions
from integration.stream_calls import open_call

__all__: list[str] = []

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(60)]

ENDLESS = '[limits]\ntimeout = "unlimited"\noutput = "unlimited"\n[pool]\nmax = 4\n'
FLOODS = ["trickle=", "beg=", "flood=READ", "flood=LOADED", "flood=RESULT"]
CALLS = 200


async def median_s(caller: Caller) -> float:
    """Return the median time of a neighbour's calls."""
    taken = []
    for _ in range(CALLS):
        begun_s = time.monotonic()
        await caller.invoke("neighbour", b"next")
        taken.append(time.monotonic() - begun_s)
    return statistics.median(taken)


async def flood(caller: Caller, query: str) -> None:
    """Call a function whose worker floods, again and again, and take what it writes."""
    while True:
        async with open_call(caller, "echo", timeout_s=None, query=query) as call:
            await call.end()
            with contextlib.suppress(grpc.aio.AioRpcError):
                while await call.message() is not None:
                    pass


@pytest.mark.parametrize("query", FLOODS)
async def test_a_flood(start_hostile: StartHostile, tmp_path: Path, query: str) -> None:
    """A neighbour's median is no more than a few times what it is beside guests that compute on all cores."""
    functions = write_functions(tmp_path / "functions", {"echo": ENDLESS, "spin": ENDLESS})
    write_function(functions, "neighbour", guest="echo")
    async with (
        start_hostile(functions, "--workers", "2", "--max-workers", "8") as server,
        connect(server.address) as caller,
        connect(server.address) as attacker,
    ):
        spinning = [asyncio.ensure_future(attacker.invoke("spin", timeout_s=30)) for _ in range(2)]
        beside_s = await median_s(caller)
        for call in spinning:
            call.cancel()
        await asyncio.wait(spinning)
        floods = [asyncio.ensure_future(flood(attacker, query)) for _ in range(2)]
        await asyncio.sleep(0.3)
        flooded_s = await median_s(caller)
        assert not any(each.done() for each in floods), [each.exception() for each in floods if each.done()]
        for each in floods:
            each.cancel()
        await asyncio.wait(floods)

    # Some 5 ms beside frames that are allowed, 20 ms where each call of the attacker's costs a worker.
    assert flooded_s < 10 * max(beside_s, 0.008)
