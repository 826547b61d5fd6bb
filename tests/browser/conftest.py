"""A real browser, and the page behind real functions."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from rig import child, free_port, installed_command, need, serve
from wasm_grpc.devsidecar.sidecar import open_dev_sidecars

__all__ = ["browser", "context", "site", "visit"]

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
APPS = {
    "image-api-grayscale": ("--only", "grayscale", "--route", "api/image=grayscale"),
    "image-api-classify": ("--only", "classify", "--route", "api/image=classify"),
    "events-service": ("--only", "events"),
}
SCREENSHOTS = Path(__file__).resolve().parents[2] / "test-artefacts" / "screenshots"
# Nothing of these tests leaves the machine; the last lets root start it.
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    *(("--no-sandbox",) if os.geteuid() == 0 else ()),
)


@dataclass
class Site:
    """Where the page is, and the sidecar behind it."""

    address: str
    sidecar: str


@dataclass
class Visit:
    """A page that is open in the browser, and what its console and its errors said."""

    page: Page
    said: list[str] = field(default_factory=list)

    async def shoot(self, name: str) -> None:
        """Keep a picture of the whole page, for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Run Debian's Chromium, or whichever is on the PATH, without a window."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    binary = need(found, "no chromium: Debian's package chromium has it")
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=binary, args=list(FLAGS))
        yield running
        await running.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """Run the page's command, the three functions, and development sidecars between them."""
    cache = str(tmp_path_factory.mktemp("artifacts"))
    ports = {app: free_port() for app in APPS}
    addresses = {app: f"127.0.0.1:{port}" for app, port in ports.items()}
    async with open_dev_sidecars({"web-port": "", **addresses}) as sidecars, AsyncExitStack() as servers:
        for app, flags in APPS.items():
            env = {"WASM_GRPC_CACHE_DIR": cache, "DAPR_GRPC_ENDPOINT": sidecars[app]}
            await servers.enter_async_context(serve(FUNCTIONS, *flags, port=ports[app], env=env))
        async with child(
            installed_command(),
            "web",
            "--port",
            str(free_port()),
            env={**os.environ, "DAPR_GRPC_ENDPOINT": sidecars["web-port"]},
        ) as web:
            address = (await web.line(r"^page (\S+)$", timeout_s=15))[1]
            yield Site(address, sidecars["web-port"])


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Return a browser profile of a test's own."""
    profile = await browser.new_context(viewport={"width": 1000, "height": 900})
    profile.set_default_timeout(10_000)
    yield profile
    await profile.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visit(context: BrowserContext, site: Site) -> Visit:
    """Open the page."""
    return await open_page(context, site.address)


async def open_page(context: BrowserContext, address: str) -> Visit:
    """Open the page in a profile, and listen to its console."""
    opened = Visit(await context.new_page())
    opened.page.on("console", lambda message: opened.said.append(message.text))
    opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
    await opened.page.goto(address)
    return opened
