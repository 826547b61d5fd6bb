"""Which messages of a topic have come to an end, told from what stands in the broker."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from rig import Broker

__all__ = ["EndedMessages", "follow"]

_BLOCK_MS = 1000


class EndedMessages:
    """
    How often each message was processed, and how often it was dropped.

    A message is known by its data, which its result repeats.
    """

    def __init__(self) -> None:
        self.processed: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.ended: set[str] = set()
        self._changed = asyncio.Event()

    @property
    def duplicates(self) -> int:
        """How many results there are beside the first of each message."""
        return self.processed.total() - len(self.processed)

    def add(self, counts: Counter[str], messages: list[str]) -> None:
        """Count messages once more, as processed or as dropped."""
        counts.update(messages)
        before = len(self.ended)
        self.ended.update(messages)
        if len(self.ended) > before:
            self._changed.set()
            self._changed = asyncio.Event()

    async def until(self, count: int) -> None:
        """Wait until so many messages have ended."""
        while len(self.ended) < count:
            await self._changed.wait()


@asynccontextmanager
async def follow(broker: Broker, *, results: str, dead_letters: str) -> AsyncIterator[EndedMessages]:
    """Keep a ended of what comes to two topics as long as the context lasts."""
    ended = EndedMessages()
    counts = {results.encode(): ended.processed, dead_letters.encode(): ended.dropped}
    following = asyncio.ensure_future(_follow(broker, ended, counts))
    try:
        yield ended
    finally:
        following.cancel()
        await asyncio.wait([following])


async def _follow(broker: Broker, ended: EndedMessages, counts: dict[bytes, Counter[str]]) -> None:
    last: dict[Any, Any] = dict.fromkeys(counts, b"0")
    while True:
        answer: Any = await broker.client.xread(last, block=_BLOCK_MS)
        for topic, entries in answer:
            last[topic] = entries[-1][0]
            ended.add(counts[topic], [json.loads(fields[b"data"])["data"] for _, fields in entries])
