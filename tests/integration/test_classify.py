"""The function `classify` as it comes: what it answers, in which form, and which pictures it refuses."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from PIL import Image, ImageDraw, ImageOps

from integration.classifiers import CLASSIFY, classify
from integration.client import Caller, connect
from integration.conftest import StartServer
from integration.digits import draw, png
from integration.handwriting import HANDS

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXPECTED = "expected a JPEG, PNG, GIF, BMP or WebP picture"
BLANK = "nothing is drawn on the picture: nothing stands out from the background"
LINE = "The picture very likely shows 4.\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(start_server: StartServer) -> AsyncIterator[Caller]:
    """Call the function of the repository."""
    async with start_server(CLASSIFY, "--workers", "1") as server, connect(server.address) as channel:
        yield channel


def four() -> Image.Image:
    """Draw a 4, white on black."""
    return draw(HANDS["careful"][4], pen=16)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Return a picture's file."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


async def test_a_digit_is_read(caller: Caller) -> None:
    """The answer names the model and its labels, best first, five of them, each with its score."""
    answer = await classify(caller, "classify", png(four()))

    scores = [score for _, score in answer.labels]
    assert (answer.model, answer.best, len(answer.labels)) == ("digits", "4", 5)
    assert scores == sorted(scores, reverse=True)
    assert 0.8 < scores[0] <= 1
    assert {label for label, _ in answer.labels} <= set("0123456789")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/plain, */*;q=0.1", "text/plain; charset=utf-8"),
        ("application/json;q=0.2, text/*;q=0.9", "text/plain; charset=utf-8"),
        ("TEXT/PLAIN; charset=utf-8", "text/plain; charset=utf-8"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("text/plain, application/json", "application/json"),
        ("text/plain;q=0, */*", "application/json"),
        ("image/png", "application/json"),
    ],
)
async def test_the_caller_chooses_the_form(caller: Caller, accept: str, content_type: str) -> None:
    """A sentence for who accepts plain text sooner than JSON, else JSON."""
    reply = await caller.invoke("classify", png(four()), metadata=[("accept", accept)])

    assert reply.content_type == content_type
    assert (reply.body.decode() == LINE) == content_type.startswith("text/")


async def test_what_the_form_depends_on_is_said(caller: Caller) -> None:
    """A cache is told that `Accept` chooses the form."""
    call = caller.start("classify", png(four()))
    await call

    assert ("vary", "Accept") in [(key, value) for key, value in await call.initial_metadata()]


FORMS = {
    "PNG": png(four()),
    "BMP": encoded(four(), "BMP"),
    "GIF": encoded(four(), "GIF"),
    "JPEG": encoded(four(), "JPEG"),
    "WebP": encoded(four(), "WEBP"),
    "lossless WebP": encoded(four(), "WEBP", lossless=True),
    "interlaced GIF": encoded(four(), "GIF", interlace=True),
    "progressive JPEG": encoded(four(), "JPEG", progressive=True),
    "CMYK JPEG": encoded(four().convert("CMYK"), "JPEG"),
    "colour": png(ImageOps.colorize(four(), "navy", "gold")),
    "palette": png(four().quantize(16)),
    "two levels": png(four().point(lambda level: 255 * (level > 128)).convert("1")),
    "16 bits": png(
        Image.frombytes("I;16B", four().size, b"".join(bytes((level, 7)) for level in four().tobytes()))
    ),
    "black on white": png(ImageOps.invert(four())),
    "large": encoded(ImageOps.invert(four()).resize((5000, 4000)), "JPEG"),
}


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_of_picture_is_taken(caller: Caller, form: str) -> None:
    """The digit is the same, whatever the file's format, its colours and its size."""
    assert (await classify(caller, "classify", FORMS[form])).best == "4"


@pytest.mark.parametrize("ink", [0, 255], ids=["black", "white"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
async def test_a_drawing_on_nothing_is_read(caller: Caller, ink: int, mode: str) -> None:
    """Black and white strokes on a transparent canvas are both seen."""
    picture = Image.new("L", four().size, ink).convert(mode)
    picture.putalpha(four())

    assert (await classify(caller, "classify", png(picture))).best == "4"


async def test_the_first_frame_of_an_animation_is_read(caller: Caller) -> None:
    """A GIF's first frame counts, on the GIF's canvas."""
    other = draw(HANDS["careful"][8], pen=16)
    gif = encoded(four(), "GIF", save_all=True, append_images=[other], duration=100)

    assert (await classify(caller, "classify", gif)).best == "4"


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return one chunk of a PNG."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def claimed(width: int, height: int) -> bytes:
    """Return a PNG that claims a size and has a few bytes of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def lines() -> Image.Image:
    """Draw what has enough pixels to be cut."""
    picture = Image.new("L", (300, 200), 255)
    for x in range(0, 300, 7):
        ImageDraw.Draw(picture).line((x, 0, 300 - x, 200), fill=x % 256)
    return picture


REFUSED = {
    "empty": (b"", f"the body is empty; {EXPECTED}"),
    "text": (b"seven", f"the body is not a picture that this function can read; {EXPECTED}"),
    "cut PNG": (png(lines())[:-400], "the PNG is truncated"),
    "cut JPEG": (encoded(lines(), "JPEG")[:500], "the JPEG is truncated"),
    "cut GIF": (encoded(lines(), "GIF")[:900], "the GIF is truncated"),
    "cut BMP": (encoded(lines(), "BMP")[:-400], "the BMP is truncated"),
    "cut WebP": (encoded(lines(), "WEBP")[:-400], "the WebP is truncated"),
    "too wide": (
        claimed(16_385, 1),
        "the picture has 16385x1 pixels; expected at most 16384 in width and height",
    ),
    "a bomb": (claimed(16_384, 16_384), "the picture has 16384x16384 pixels; expected at most 24 million"),
    "no pixels": (claimed(0, 5), "the picture has 0x5 pixels; expected at least 1x1"),
    "one pixel": (
        png(Image.new("L", (1, 1))),
        BLANK,
    ),
    "blank": (
        png(Image.new("L", (90, 60), 200)),
        BLANK,
    ),
    "noise": (
        png(Image.effect_noise((200, 200), 30)),
        BLANK,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_no_digit_s_picture_is_refused(caller: Caller, what: str) -> None:
    """The caller's mistake is INVALID_ARGUMENT with one sentence that says what it was."""
    body, sentence = REFUSED[what]

    failure = await caller.fail("classify", body)

    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REJECTED")
    assert failure.message == f"function 'classify': rejected the input: {sentence}"
