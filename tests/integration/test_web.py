"""The page's server: its files, and what each picture and each failure comes to."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import grpc
import pytest
import pytest_asyncio
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import invoke_pb2

from integration.fake_sidecar import Refused, fake_sidecar
from wasm_grpc.web.app import BODY_LIMIT_BYTES, open_page
from wasm_grpc.web.services import open_services

__all__ = ["page"]

pytestmark = pytest.mark.asyncio

CODES = grpc.StatusCode
PNG = b"\x89PNG"
LABELS = b'{"model": "digits", "labels": []}'
EVENTS = b'{"events":[],"counts":{}}'


@dataclass
class Page:
    """A page before a sidecar that keeps what it is called with."""

    address: str = ""
    session: aiohttp.ClientSession = field(init=False)
    calls: list[invoke_pb2.InvokeServiceRequest] = field(default_factory=list)
    refusal: Refused | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: invoke_pb2.InvokeServiceRequest) -> common_pb2.InvokeResponse:
        """Be the sidecar."""
        self.calls.append(request)
        await self.gate.wait()
        if self.refusal is not None:
            raise self.refusal
        if request.id == "events-service":
            response = common_pb2.InvokeResponse(content_type="application/json")
            response.data.value = EVENTS
            return response
        is_grey = request.id == "image-api-grayscale"
        response = common_pb2.InvokeResponse(content_type="image/png" if is_grey else "application/json")
        response.data.value = PNG if is_grey else LABELS
        return response

    async def hello(self, body: object = b"picture", **headers: str) -> tuple[int, str, bytes]:
        """Send a picture; gives the status, the content type and the body of the answer."""
        url = f"{self.address}/api/hello"
        async with self.session.post(url, data=body, headers=headers) as response:
            return response.status, response.content_type, await response.read()

    async def refused(self, body: object = b"picture", **headers: str) -> tuple[int, str]:
        """Send a picture that is refused; gives the status and the sentence."""
        status, content_type, answer = await self.hello(body, **headers)
        assert content_type == "application/json"
        return status, json.loads(answer)["error"]


@pytest_asyncio.fixture
async def page() -> AsyncIterator[Page]:
    """Serve the page; the sidecar answers at once unless its gate is closed."""
    running = Page()
    running.gate.set()
    async with (
        fake_sidecar(running.answer) as sidecar,
        open_services(sidecar, token="secret") as services,  # noqa: S106 - of a test
        open_page(services, "127.0.0.1", 0) as running.address,
        aiohttp.ClientSession() as running.session,
    ):
        yield running


@pytest.mark.parametrize(
    ("api", "app_id", "answer"),
    [
        ("grayscale", "image-api-grayscale", ("image/png", PNG)),
        ("classify", "image-api-classify", ("application/json", LABELS)),
        ("rs", "image-api-grayscale", ("image/png", PNG)),
        ("go", "image-api-classify", ("application/json", LABELS)),
        ("rust", "image-api-grayscale", ("image/png", PNG)),
        ("rust-wasi-socket", "image-api-grayscale", ("image/png", PNG)),
        ("anything", "image-api-grayscale", ("image/png", PNG)),
    ],
)
async def test_a_picture_goes_to_the_function(
    page: Page, api: str, app_id: str, answer: tuple[str, bytes]
) -> None:
    """The header `api` names the app, whose method api/image gets the bytes as they are."""
    body = bytes(range(256))

    status, *answered = await page.hello(body, api=api, **{"Content-Type": "image/jpeg"})

    (call,) = page.calls
    assert (status, tuple(answered)) == (200, answer)
    assert (call.id, call.message.method, call.message.content_type) == (app_id, "api/image", "image/jpeg")
    assert call.message.data.value == body


async def test_the_original_demo_s_pages(page: Page) -> None:
    """No header is grayscale; later pages have the name in the path too; curl's own type of a body is no form."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    no_header = await page.hello()
    async with page.session.post(f"{page.address}/api/go", data=b"x", headers={"api": "go"}) as response:
        in_the_path = response.status, response.headers["Dapr-App-Id"]
    from_curl = await page.hello(**form)

    assert no_header == from_curl == (200, "image/png", PNG)
    assert in_the_path == (200, "image-api-classify")
    assert [call.id for call in page.calls] == [
        "image-api-grayscale",
        "image-api-classify",
        "image-api-grayscale",
    ]
    assert page.calls[2].message.content_type == "application/octet-stream"


async def test_the_events(page: Page) -> None:
    """What the events service answers is passed on; it is asked anew each time."""
    async with page.session.get(f"{page.address}/api/events") as response:
        answer = response.status, response.content_type, await response.read()
        cached = response.headers["Cache-Control"]

    (call,) = page.calls
    assert answer == (200, "application/json", EVENTS)
    assert cached == "no-store"
    assert (call.id, call.message.method) == ("events-service", "events")
    assert call.message.http_extension.verb == common_pb2.HTTPExtension.GET


async def test_no_events(page: Page) -> None:
    """A service that fails is one sentence, and nothing of the inside; events are read only."""
    page.refusal = Refused(CODES.INTERNAL, "failed to invoke, id: events-service, at 10.0.0.1")
    async with page.session.get(f"{page.address}/api/events") as response:
        gone = response.status, await response.json()
    async with page.session.post(f"{page.address}/api/events") as response:
        wrong_verb = response.status, await response.json()

    assert gone == (503, {"error": "The events service can't be reached; is it running?"})
    assert wrong_verb == (405, {"error": "Events are read with GET."})


async def test_what_is_no_request(page: Page) -> None:
    """Each request that can't be served is told in one sentence why, and calls nothing."""
    empty = await page.refused(b"", api="grayscale")
    no_picture = await page.refused("text", api="grayscale", **{"Content-Type": "text/plain"})
    async with page.session.get(f"{page.address}/api/hello") as response:
        wrong_verb = response.status, (await response.json())["error"], response.headers["Allow"]
    async with page.session.post(f"{page.address}/api/other") as response:
        no_such_path = response.status, list(await response.json())

    assert empty == (400, "There is no picture in the request.")
    sentence = "That is not a picture; expected the bytes of a JPEG, PNG, GIF, BMP or WebP as the body."
    assert no_picture == (400, sentence)
    assert wrong_verb == (405, "Pictures are sent with POST.", "POST")
    assert no_such_path == (404, ["error"])
    assert page.calls == []


@pytest.mark.parametrize("is_chunked", [False, True], ids=["with a length", "chunked"])
async def test_a_picture_that_is_too_large(page: Page, *, is_chunked: bool) -> None:
    """One byte over the limit is refused with the limit, one byte less is taken."""

    async def chunks(size: int) -> AsyncIterator[bytes]:
        yield bytes(size // 2)
        yield bytes(size - size // 2)

    def body(size: int) -> object:
        return chunks(size) if is_chunked else io.BytesIO(bytes(size))

    refused = await page.refused(body(BODY_LIMIT_BYTES + 1), api="grayscale")
    status, _, _ = await page.hello(body(BODY_LIMIT_BYTES), api="grayscale")

    assert refused == (413, "The picture is too large; expected at most 16 MiB.")
    assert status == 200


REFUSALS = {
    "rejected": (
        Refused(
            CODES.INVALID_ARGUMENT,
            "function 'grayscale': rejected the input: the PNG is damaged: no data",
            "REJECTED",
        ),
        400,
        "The PNG is damaged: no data.",
    ),
    "no picture": (
        Refused(
            CODES.INVALID_ARGUMENT,
            "function 'grayscale': rejected the input: the body is not a picture that this function can read; expected a",
            "REJECTED",
        ),
        400,
        "That is not a picture that can be read here; expected a JPEG, PNG, GIF, BMP or WebP.",
    ),
    "too large for the function": (
        Refused(CODES.RESOURCE_EXHAUSTED, "function 'grayscale': body of 9 bytes", "BODY_TOO_LARGE"),
        413,
        "The picture is larger than grayscale accepts.",
    ),
    "busy": (
        Refused(CODES.RESOURCE_EXHAUSTED, "function 'grayscale': too many", "QUEUE_FULL"),
        503,
        "Grayscale is busy; try again in a moment.",
    ),
    "late": (
        Refused(CODES.DEADLINE_EXCEEDED, "function 'grayscale': ran longer than 5 s", "TIMEOUT"),
        504,
        "Grayscale took too long.",
    ),
    "failed": (
        Refused(CODES.INTERNAL, "function 'grayscale': trapped at /secret/place", "TRAPPED"),
        500,
        "Grayscale failed on this picture; its log says why.",
    ),
    "too large for the sidecar": (
        Refused(CODES.RESOURCE_EXHAUSTED, "grpc: received message larger than max (5242880 vs. 4194304)"),
        413,
        "The picture is larger than the sidecar accepts (--max-body-size).",
    ),
    "no app": (
        Refused(CODES.INTERNAL, "failed to invoke, id: image-api-grayscale, err: no host found"),
        503,
        "Grayscale can't be reached; is it running?",
    ),
    "app down": (
        Refused(CODES.UNAVAILABLE, "connection refused at 10.0.0.1"),
        503,
        "Grayscale can't be reached; is it running?",
    ),
}


@pytest.mark.parametrize(("refusal", "status", "sentence"), REFUSALS.values(), ids=REFUSALS)
async def test_what_a_function_refuses(page: Page, refusal: Refused, status: int, sentence: str) -> None:
    """Of a failure a person learns what they can act on, and nothing of the inside."""
    page.refusal = refusal

    assert await page.refused(api="grayscale") == (status, sentence)


async def test_no_sidecar() -> None:
    """Without a sidecar the page is there, and a picture is answered with a sentence."""
    async with (
        open_services("127.0.0.1:1", token="") as services,
        open_page(services, "127.0.0.1", 0) as address,
        aiohttp.ClientSession() as session,
        session.post(f"{address}/api/hello", data=b"x", headers={"api": "go"}) as response,
    ):
        answer = response.status, await response.json()

    assert answer == (503, {"error": "Classify can't be reached; is it running?"})


async def test_a_hundred_at_once(page: Page) -> None:
    """Of a hundred uploads at once each is served or refused with a sentence, and the next is served."""
    page.gate.clear()
    uploads = [asyncio.ensure_future(page.hello(api="grayscale")) for _ in range(100)]
    while len(page.calls) < 64:
        await asyncio.sleep(0.005)  # looks again: the sidecar has nothing to wait on
    refused = 0
    while refused < 36:
        done, _ = await asyncio.wait(uploads, return_when=asyncio.FIRST_COMPLETED, timeout=5)
        refused = len(done)
        await asyncio.sleep(0)
    page.gate.set()
    answers = await asyncio.gather(*uploads)
    after = await page.hello(api="grayscale")

    sentence = json.dumps({"error": "Too many pictures at once; try again in a moment."}).encode()
    assert sorted(status for status, _, _ in answers) == [200] * 64 + [503] * 36
    assert {body for status, _, body in answers if status == 503} == {sentence}
    assert after[0] == 200


async def test_a_caller_who_goes_frees_their_place(page: Page) -> None:
    """An upload whose sender is gone is no upload any more."""
    page.gate.clear()
    uploads = [asyncio.ensure_future(page.hello(api="grayscale")) for _ in range(64)]
    while len(page.calls) < 64:
        await asyncio.sleep(0.005)
    for upload in uploads:
        upload.cancel()
    await asyncio.gather(*uploads, return_exceptions=True)
    page.gate.set()

    status = 503
    while status == 503:  # until the server has seen them go
        status, _, _ = await page.hello(api="grayscale")
    assert status == 200


async def test_the_files_are_safe_to_show(page: Page) -> None:
    """The page and its files come from here alone, with headers that keep others out of it."""
    found = {}
    for path in ("/", "/static/page.js", "/static/paint.js", "/static/recent.js", "/static/page.css"):
        async with page.session.get(page.address + path) as response:
            text = await response.text()
            found[path] = response.status, response.content_type
            assert response.headers["Content-Security-Policy"].startswith(
                "default-src 'none'; script-src 'self'"
            )
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
            assert "https://" not in text
    async with page.session.get(f"{page.address}/static/../app.py") as response:
        outside = response.status

    assert found == {
        "/": (200, "text/html"),
        "/static/page.js": (200, "text/javascript"),
        "/static/paint.js": (200, "text/javascript"),
        "/static/recent.js": (200, "text/javascript"),
        "/static/page.css": (200, "text/css"),
    }
    assert outside == 404
