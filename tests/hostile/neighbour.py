"""A healthy function that is called all the while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from integration.client import Caller

__all__ = ["Answers", "called"]

PATIENCE_S = 5.0


@dataclass
class Answers:
    """What callers of the neighbour got."""

    count: int = 0
    slowest_s: float = 0.0
    wrong: list[str] = field(default_factory=list)


@asynccontextmanager
async def called(caller: Caller, name: str, mark: bytes) -> AsyncIterator[Answers]:
    """Call the neighbour, one call after the other and at least once, until the context ends."""
    answers = Answers()
    is_over = asyncio.Event()
    calling = asyncio.ensure_future(_call(caller, name, mark, answers, is_over))
    try:
        yield answers
    finally:
        is_over.set()
        await calling


async def _call(caller: Caller, name: str, mark: bytes, answers: Answers, is_over: asyncio.Event) -> None:
    while not (is_over.is_set() and answers.count):
        body = b"%d %s" % (answers.count, mark)
        began_s = time.monotonic()
        try:
            found = (await caller.invoke(name, body, timeout_s=PATIENCE_S)).body
        except grpc.aio.AioRpcError as error:
            answers.wrong.append(f"{error.code()}: {error.details()}")
        else:
            if found != body:
                answers.wrong.append(repr(found))
        answers.slowest_s = max(answers.slowest_s, time.monotonic() - began_s)
        answers.count += 1
