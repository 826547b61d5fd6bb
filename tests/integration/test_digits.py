"""What the digits model reads of digits that it has never seen: docs/models.md states these figures."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from importlib.metadata import PackageNotFoundError

import pytest
import pytest_asyncio

from integration.classifiers import CLASSIFY, classify
from integration.client import Caller, connect
from integration.conftest import StartServer
from integration.digits import DigitPicture, drawn, photographed, placed, printed, written
from rig import missing

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(start_server: StartServer) -> AsyncIterator[Caller]:
    """Call the function of the repository."""
    async with start_server(CLASSIFY, "--workers", "2") as server, connect(server.address) as channel:
        yield channel


@functools.cache
def pictures_of(source: Callable[[], Iterator[DigitPicture]]) -> list[DigitPicture]:
    """Return a source's pictures, made once for all engines."""
    try:
        return list(source())
    except PackageNotFoundError as exc:
        missing(f"no {exc}: `scripts/setup dev` installs it")


@pytest.mark.parametrize(
    ("source", "count", "least"),
    [
        (written, 360, 0.97),
        (printed, 450, 0.97),
        (drawn, 240, 0.97),
        (photographed, 80, 0.97),
        (placed, 280, 0.97),
    ],
)
async def test_digits_are_read(
    caller: Caller, source: Callable[[], Iterator[DigitPicture]], count: int, least: float
) -> None:
    """Of digits by hands and in fonts that the model was not trained on, nearly all are read."""
    pictures = pictures_of(source)
    slots = asyncio.Semaphore(4)

    async def reading(picture: DigitPicture) -> str:
        async with slots:
            return (await classify(caller, "classify", picture.file)).best

    read = await asyncio.gather(*map(reading, pictures))

    wrong = [
        f"{picture.about}: {picture.digit} as {digit}"
        for picture, digit in zip(pictures, read, strict=True)
        if digit != str(picture.digit)
    ]
    assert len(pictures) == count
    assert len(wrong) <= (1 - least) * count, wrong
