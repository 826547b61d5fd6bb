"""The page as a person meets it."""

from __future__ import annotations

import asyncio
import io
import math
import os
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import grpc
import pytest
from axe_playwright_python.async_playwright import Axe
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import dapr_pb2_grpc, invoke_pb2
from PIL import Image, ImageDraw
from playwright.async_api import Browser, BrowserContext, Page, expect

from browser.conftest import Site, Visit, open_page
from rig import child, free_port, installed_command
from wasm_grpc.devsidecar.sidecar import open_dev_sidecars

__all__ = []

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]

NETWORK = "Failed to load resource"  # the browser's own line about a status, not ours


def upload(name: str, content: bytes, kind: str = "image/png") -> Any:
    """Return a file as a person would choose it."""
    return {"name": name, "mimeType": kind, "buffer": content}


def png(size: tuple[int, int] = (120, 80)) -> bytes:
    """Return a picture in colours."""
    file = io.BytesIO()
    Image.merge("RGB", [Image.linear_gradient("L").resize(size)] * 3).save(file, "PNG")
    return file.getvalue()


def clean(visit: Visit) -> list[str]:
    """Return what the console said that is ours."""
    return [line for line in visit.said if NETWORK not in line]


async def natural_size(page: Page, selector: str) -> tuple[int, int]:
    """Return the size of a picture's own pixels."""
    script = "picture => picture.decode().then(() => [picture.naturalWidth, picture.naturalHeight])"
    width, height = await page.locator(selector).evaluate(script)
    return width, height


async def test_a_file_turns_grey(visit: Visit) -> None:
    """A chosen file comes back grey, at its own size, over the picture that it was, and can be downloaded."""
    page = visit.page
    await page.set_input_files("input[type=file]", upload("photo.png", png()))
    await page.get_by_role("button", name="Turn it grey").click()
    await expect(page.locator("#after")).to_be_visible()

    assert await natural_size(page, "#after") == await natural_size(page, "#before") == (120, 80)
    assert await page.get_by_role("status").inner_text() == "The picture is grey."
    route = await page.locator("#route").inner_text()
    assert re.fullmatch(r"grayscale in app image-api-grayscale, through the sidecar at \S+: \d+ ms", route)
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download").click()
    file = await (await download.value).path()
    with Image.open(file) as grey:
        assert ((await download.value).suggested_filename, grey.mode) == ("grey.png", "L")
    await visit.shoot("grayscale")
    assert visit.said == []


async def test_a_sample_is_classified(visit: Visit) -> None:
    """The sample digit gets labels with scores, best first, each label's text beside its score."""
    page = visit.page
    await page.get_by_role("button", name="Sample digit").click()
    await page.get_by_role("button", name="Read a digit").click()
    rows = page.get_by_role("list", name="Guesses").get_by_role("listitem")
    await expect(rows.first).to_be_visible()

    texts = [re.fullmatch(r"(.+?)\s*([\d.]+) %", text) for text in await rows.all_inner_texts()]
    scores = [float(text[2]) for text in texts if text]
    assert len(scores) == len(texts) >= 1
    assert scores == sorted(scores, reverse=True)
    await visit.shoot("classify")
    assert visit.said == []


async def test_a_drawn_digit_is_read(visit: Visit) -> None:
    """A seven that is drawn with the mouse is read as one, though a sample was chosen before."""
    page = visit.page
    await page.get_by_role("button", name="Sample digit").click()
    await page.get_by_role("button", name="Draw").click()
    box = await page.locator("#board").bounding_box()
    assert box is not None
    stroke = [(0.28, 0.2), (0.72, 0.2), (0.6, 0.45), (0.5, 0.62), (0.42, 0.85)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
    await page.mouse.move(*places[0])
    await page.mouse.down()
    for place in places[1:]:
        await page.mouse.move(*place, steps=8)
    await page.mouse.up()
    await page.get_by_role("button", name="Read a digit").click()

    await expect(page.locator("#digit")).to_have_text("7")
    await expect(page.locator("#confidence")).to_have_text(re.compile(r"^[\d.]+ % sure$"))
    await visit.shoot("drawn")
    assert visit.said == []


async def test_nothing_drawn(visit: Visit) -> None:
    """An empty board is no picture, and neither is one that was cleared."""
    page = visit.page
    read = page.get_by_role("button", name="Read a digit")
    await page.get_by_role("button", name="Sample digit").click()
    await page.get_by_role("button", name="Draw").click()
    await expect(read).to_be_disabled()
    await page.locator("#board").click()
    await expect(read).to_be_enabled()

    await page.get_by_role("button", name="Clear").click()

    await expect(read).to_be_disabled()


async def test_a_picture_without_a_digit(visit: Visit) -> None:
    """Of what is no digit the page says so, the model's guesses small beneath; no error is red."""
    page = visit.page
    file = io.BytesIO()
    shape = Image.new("L", (200, 200), 255)
    for place in (40, 100, 160):
        ImageDraw.Draw(shape).line([place, 20, place, 180], fill=0, width=14)
        ImageDraw.Draw(shape).line([20, place, 180, place], fill=0, width=14)
    shape.save(file, "PNG")
    await page.set_input_files("input[type=file]", upload("shape.png", file.getvalue()))
    await page.get_by_role("button", name="Read a digit").click()
    headline = page.get_by_text("No digit recognised", exact=True)
    await expect(headline).to_be_visible()
    await expect(page.get_by_role("list", name="Guesses")).to_be_visible()
    await visit.shoot("no-digit")

    await page.get_by_role("button", name="Sample landscape").click()
    await page.get_by_role("button", name="Read a digit").click()
    await expect(headline).to_be_visible()
    await expect(page.get_by_role("alert")).to_be_hidden()
    assert clean(visit) == []


async def test_the_last_calls(context: BrowserContext, site: Site) -> None:
    """Each call is listed, newest first, with its time, function, sizes and milliseconds; ten of them are shown."""
    async with grpc.aio.insecure_channel(site.sidecar) as channel:
        message = common_pb2.InvokeRequest(method="init")
        request = invoke_pb2.InvokeServiceRequest(id="events-service", message=message)
        await dapr_pb2_grpc.DaprStub(channel).InvokeService(request)
    visit = await open_page(context, site.address)
    page = visit.page
    panel = page.get_by_role("region", name="Last calls")
    rows = panel.locator("tbody tr")
    await expect(panel.get_by_text("None yet. Each call of a function will be listed here.")).to_be_visible()
    await expect(panel.get_by_role("table")).to_be_hidden()
    await visit.shoot("no-calls")

    await page.set_input_files("input[type=file]", upload("photo.png", png()))
    await page.get_by_role("button", name="Turn it grey").click()
    await expect(rows).to_have_count(1)
    await page.get_by_role("button", name="Sample digit").click()
    await page.get_by_role("button", name="Read a digit").click()
    await expect(rows).to_have_count(2)

    first, second = [await row.locator("td").all_inner_texts() for row in await rows.all()]
    assert first[1] == "classify"
    assert second[1:3] == ["grayscale", f"{math.ceil(len(png()) / 1024)} KiB → 1 KiB"]
    assert re.fullmatch(r"[\d.]+ ms", second[3])
    when = datetime.fromisoformat(str(await rows.last.locator("time").get_attribute("datetime")))
    assert abs((datetime.now(timezone.utc) - when).total_seconds()) < 60

    for _ in range(9):
        await page.get_by_role("button", name="Turn it grey").click()
        await expect(page.locator("#answer")).to_have_attribute("aria-busy", "false")
    await expect(rows.last.locator("td").nth(1)).to_have_text("classify")
    await expect(rows).to_have_count(10)
    await visit.shoot("calls")
    assert visit.said == []


async def test_nothing_moves_during_a_call(visit: Visit) -> None:
    """The last answer stays where it is until the next one comes."""
    page = visit.page
    await page.get_by_role("button", name="Sample digit").click()
    await page.get_by_role("button", name="Turn it grey").click()
    await expect(page.locator("#shown")).to_have_attribute("data-shows", "grey")

    heights = await page.evaluate(
        """async () => {
            const heights = [];
            const answer = document.getElementById("answer");
            // Below it, the last calls get a row.
            const measure = () => heights.push(answer.offsetTop + answer.offsetHeight);
            const watch = new ResizeObserver(measure);
            watch.observe(answer);
            // A call may end before the observer's first turn.
            measure();
            document.getElementById("grayscale").click();
            while (answer.getAttribute("aria-busy") === "true") await new Promise(requestAnimationFrame);
            watch.disconnect();
            return heights;
        }"""
    )

    assert len(set(heights)) == 1


async def test_the_command_that_is_shown(visit: Visit, tmp_path: Path) -> None:
    """The line for the shell works word for word beside the file that it names."""
    page = visit.page
    (tmp_path / "a photo.png").write_bytes(png())
    await page.set_input_files("input[type=file]", tmp_path / "a photo.png")
    await page.get_by_role("button", name="Turn it grey").click()
    command = page.locator("#command")
    await expect(command).to_be_visible()

    line = await command.inner_text()
    process = await asyncio.create_subprocess_shell(line, cwd=tmp_path, stderr=asyncio.subprocess.DEVNULL)

    assert await process.wait() == 0
    with Image.open(tmp_path / "grey.png") as grey:
        assert (grey.mode, grey.size) == ("L", (120, 80))


async def test_a_text_that_is_called_a_picture(visit: Visit) -> None:
    """A text file renamed to .png is refused with the function's own sentence, and the page goes on."""
    page = visit.page
    await page.set_input_files("input[type=file]", upload("note.png", b"a letter, and no picture"))
    await page.get_by_role("button", name="Turn it grey").click()
    alert = page.get_by_role("alert")

    await expect(alert).to_have_text(
        "That is not a picture that can be read here; expected a JPEG, PNG, GIF, BMP or WebP."
    )
    await visit.shoot("error")
    await page.get_by_role("button", name="Sample landscape").click()
    await expect(alert).to_be_hidden()
    await page.get_by_role("button", name="Turn it grey").click()
    await expect(page.locator("#after")).to_be_visible()
    assert clean(visit) == []


async def test_a_file_that_is_too_large(visit: Visit) -> None:
    """A file over the limit is told so at once, and nothing can be done with it."""
    page = visit.page
    await page.set_input_files("input[type=file]", upload("huge.png", bytes(16 * 1024 * 1024 + 1)))

    await expect(page.get_by_role("alert")).to_have_text(
        "huge.png is too large: it has 16.0 MiB; at most 16 are taken."
    )
    await expect(page.get_by_role("button", name="Turn it grey")).to_be_disabled()
    await visit.shoot("too-large")
    assert visit.said == []


async def test_a_dropped_file(visit: Visit) -> None:
    """A file that is dropped anywhere on the page is chosen."""
    page = visit.page
    dropped = await page.evaluate_handle(
        """async () => {
            const canvas = document.createElement("canvas");
            const blob = await new Promise((resolve) => canvas.toBlob(resolve));
            const dropped = new DataTransfer();
            dropped.items.add(new File([blob], "dropped.png", { type: "image/png" }));
            return dropped;
        }"""
    )
    await page.dispatch_event("body", "drop", {"dataTransfer": dropped})

    await expect(page.locator("#chosen-name")).to_have_text(re.compile(r"^dropped\.png, "))
    await expect(page.get_by_role("button", name="Read a digit")).to_be_enabled()


async def test_a_stroke_that_is_encoded_late_stops_no_call(visit: Visit) -> None:
    """Of two strokes the first may be encoded after the second: it is not chosen, and the call goes on."""
    page = visit.page
    await page.evaluate(
        """() => {
            const encode = HTMLCanvasElement.prototype.toBlob;
            const delays = [1000, 0];
            document.body.dataset.encoded = "";
            HTMLCanvasElement.prototype.toBlob = function (take, ...options) {
                const delay = delays.shift() ?? 0;
                const late = (blob) => setTimeout(() => { take(blob); document.body.dataset.encoded += "."; }, delay);
                encode.call(this, late, ...options);
            };
        }"""
    )
    await page.locator("#draw").click()
    await page.keyboard.press("Shift+ArrowDown")
    await page.keyboard.press("Shift+ArrowDown")

    await page.locator("#grayscale").click()

    await expect(page.locator("body")).to_have_attribute("data-encoded", "..")
    await expect(page.locator("#shown")).to_have_attribute("data-shows", "grey")
    assert visit.said == []


async def test_by_keyboard_alone(visit: Visit) -> None:
    """A person without a mouse takes a sample, draws a stroke, and has the result read out."""
    page = visit.page

    async def focused() -> str:
        return str(await page.evaluate("document.activeElement.id"))

    reached = []
    for _ in range(4):
        await page.keyboard.press("Tab")
        reached.append(await focused())
    assert reached == ["file", "draw", "sample-digit", "sample-landscape"]
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    assert await focused() == "board"
    for key in ["ArrowUp", *["Shift+ArrowDown"] * 6]:
        await page.keyboard.press(key)
    await expect(page.locator("#chosen-name")).to_have_text(re.compile(r"^drawing\.png, "))
    for expected in ("draw-clear", "save", "grayscale"):
        await page.keyboard.press("Tab")
        assert await focused() == expected
    await page.keyboard.press("Space")

    await expect(page.locator("#shown")).to_have_attribute("data-shows", "grey")
    assert await focused() == "shown"
    assert visit.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1000, 1600])
async def test_it_can_be_read(browser: Browser, site: Site, scheme: Any, width: int) -> None:
    """At a phone's width and a desk's, light and dark, nothing runs over and axe finds no fault."""
    profile = await browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    visit = await open_page(profile, site.address)
    page = visit.page
    await page.get_by_role("button", name="Draw").click()
    await page.get_by_role("button", name="Sample digit").click()
    await page.get_by_role("button", name="Read a digit").click()
    await expect(page.locator("#shown")).to_have_attribute("data-shows", re.compile("digit|none"))
    await expect(page.get_by_role("table")).to_be_visible()
    faults = [(await Axe().run(page)).generate_report()]
    await page.get_by_role("button", name="Turn it grey").click()
    await expect(page.locator("#after")).to_be_visible()
    faults.append((await Axe().run(page)).generate_report())
    await page.set_input_files("input[type=file]", upload("note.png", b"no picture"))
    await page.get_by_role("button", name="Read a digit").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    faults.append((await Axe().run(page)).generate_report())

    overflow = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    await visit.shoot(f"{scheme}-{width}")
    await profile.close()
    assert [fault for fault in faults if "Found 0 accessibility violations" not in fault] == []
    assert overflow <= 0
    assert clean(visit) == []


async def test_the_server_gone_and_back(context: BrowserContext, site: Site) -> None:
    """While the server is gone the page says so; once it is back the same picture goes through."""
    port = free_port()
    command = (installed_command(), "web", "--port", str(port))
    env = {**os.environ, "DAPR_GRPC_ENDPOINT": site.sidecar}
    async with child(*command, env=env) as web:
        await web.line("^page ", timeout_s=15)
        visit = await open_page(context, f"http://127.0.0.1:{port}")
    page = visit.page
    await page.get_by_role("button", name="Sample landscape").click()
    await page.get_by_role("button", name="Turn it grey").click()
    alert = page.get_by_role("alert")
    await expect(alert).to_have_text("The server can't be reached; is it running?")
    await visit.shoot("gone")

    async with child(*command, env=env) as web:
        await web.line("^page ", timeout_s=15)
        await page.get_by_role("button", name="Turn it grey").click()
        await expect(page.locator("#after")).to_be_visible()
        await expect(alert).to_be_hidden()
    assert clean(visit) == []


async def test_a_function_that_is_gone(context: BrowserContext) -> None:
    """Where no function answers, the page says which, in a sentence."""
    async with (
        open_dev_sidecars({"web-port": "", "image-api-classify": f"127.0.0.1:{free_port()}"}) as sidecars,
        child(
            installed_command(),
            "web",
            "--port",
            "0",
            env={**os.environ, "DAPR_GRPC_ENDPOINT": sidecars["web-port"]},
        ) as web,
    ):
        visit = await open_page(context, (await web.line(r"^page (\S+)$", timeout_s=15))[1])
        page = visit.page
        await page.get_by_role("button", name="Sample digit").click()
        for button, function in (("Read a digit", "Classify"), ("Turn it grey", "Grayscale")):
            await page.get_by_role("button", name=button).click()
            sentence = f"{function} can't be reached; is it running?"
            await expect(page.get_by_role("alert")).to_have_text(sentence)
        fault = page.get_by_text("The events service can't be reached; is it running?")
        await expect(fault).to_be_visible()
        report = (await Axe().run(page)).generate_report()
        await visit.shoot("functions-gone")

    assert "Found 0 accessibility violations" in report
    assert clean(visit) == []


async def test_the_events_service_is_gone(context: BrowserContext, site: Site) -> None:
    """A sentence stands where the last calls were; pictures still turn grey. Once it is back, so are they."""
    visit = await open_page(context, site.address)
    page = visit.page
    await page.route("**/api/events", lambda route: route.abort())
    await page.get_by_role("button", name="Sample landscape").click()
    await page.get_by_role("button", name="Turn it grey").click()
    fault = page.get_by_text("The last calls can't be read; is the server running?")
    await expect(page.locator("#after")).to_be_visible()
    await expect(fault).to_be_visible()
    await expect(page.get_by_role("alert")).to_be_hidden()

    await page.unroute("**/api/events")
    await page.get_by_role("button", name="Turn it grey").click()

    await expect(fault).to_be_hidden()
    await expect(page.get_by_role("region", name="Last calls").get_by_role("table")).to_be_visible()
    assert clean(visit) == []
