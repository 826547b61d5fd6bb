"""Which observers a server has, and for how long."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator

import pytest

from wasm_grpc.app.observing import OpenObserver, open_observers
from wasm_grpc.core.errors import HostError
from wasm_grpc.core.model import EngineName
from wasm_grpc.core.observers import Event, OutputSent, WorkerLost
from wasm_grpc.core.settings import Settings, make_settings

pytestmark = pytest.mark.asyncio

SETTINGS = make_settings({"app_id": "shop"})
SENT = OutputSent(invocation_id="1", function="f")


class Diary:
    """What the observers of a test do, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def opener(self, name: str, *, is_wanted: bool = True) -> OpenObserver:
        """Return what opens an observer of this name."""

        @contextlib.asynccontextmanager
        async def open_observer(settings: Settings) -> AsyncIterator[Entry | None]:
            self.lines.append(f"{name} opens for {settings.app_id}")
            try:
                yield Entry(name, self) if is_wanted else None
            finally:
                self.lines.append(f"{name} closes")

        return open_observer


class Entry:
    """An observer that notes what it is told."""

    wants: frozenset[type[Event]] = frozenset({OutputSent})

    def __init__(self, name: str, diary: Diary) -> None:
        self._name = name
        self._diary = diary

    def observe(self, event: Event) -> None:
        """See `Observer.observe`."""
        self._diary.lines.append(f"{self._name} is told {type(event).__name__}")


@contextlib.asynccontextmanager
async def _open_none(settings: Settings) -> AsyncIterator[None]:
    if settings.app_id:
        raise HostError("port 9090: in use")
    yield


async def test_an_observer_is_open_as_long_as_it_is_told_of_events() -> None:
    """It gets the settings, and what it holds is closed at the end, the last opened first."""
    diary = Diary()

    async with open_observers(SETTINGS, [diary.opener("a"), diary.opener("b")]) as observers:
        observers.tell(SENT)

    assert diary.lines == [
        "a opens for shop",
        "b opens for shop",
        "a is told OutputSent",
        "b is told OutputSent",
        "b closes",
        "a closes",
    ]


async def test_an_observer_that_the_settings_do_not_want() -> None:
    """It is told of nothing, and costs no event."""
    diary = Diary()

    async with open_observers(SETTINGS, [diary.opener("a", is_wanted=False)]) as observers:
        assert OutputSent not in observers

    assert diary.lines == ["a opens for shop", "a closes"]


async def test_an_observer_that_can_not_be_opened() -> None:
    """Its error is the server's, and those before it are closed."""
    diary = Diary()

    with pytest.raises(HostError, match="port 9090: in use"):
        await open_observers(SETTINGS, [diary.opener("a"), _open_none]).__aenter__()

    assert diary.lines == ["a opens for shop", "a closes"]


async def test_the_log_is_an_observer_of_every_server(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing has to be set for it."""
    lost = WorkerLost(worker=7, engine=EngineName.WASMTIME, exit_code=3, was_idle=True)

    with caplog.at_level(logging.WARNING):
        async with open_observers(SETTINGS) as observers:
            observers.tell(lost)

    assert caplog.messages == ["idle worker 7 ended with exit code 3"]
