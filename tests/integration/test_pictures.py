"""The pictures that the functions `grayscale` and `classify` take and refuse, by the same decoder."""

from __future__ import annotations

import io
import random
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from PIL import Image, ImageChops

from integration.classifiers import classify
from integration.client import Caller, connect, failure_of
from integration.commands import run_command
from integration.conftest import StartServer
from integration.picture_cases import DIGIT, EIGHT, INDEXED, PICTURE, REFUSED, TAKEN, WHOLE
from integration.picture_files import Bmp, encoded, webp, webp_chunk, webp_chunks

pytestmark = pytest.mark.asyncio(loop_scope="module")

FUNCTIONS = Path(__file__).parents[2] / "functions"
MODULE = FUNCTIONS / "grayscale" / "grayscale.wasm"
EX_DATAERR = 65
# How near its end a file is cut everywhere.
CLOSE_BYTES = 40


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def caller(start_server: StartServer) -> AsyncIterator[Caller]:
    """Call the functions of the repository."""
    async with start_server(FUNCTIONS, "--workers", "1") as server, connect(server.address) as channel:
        yield channel


def grey(file: bytes) -> Image.Image:
    """Return the greys of a picture that has nothing transparent."""
    picture = Image.open(io.BytesIO(file)).convert("RGBA")
    assert picture.getchannel("A").getextrema() == (255, 255)
    return picture.convert("RGB").convert("L")


@pytest.mark.parametrize("name", TAKEN)
async def test_what_no_pixel_needs_decides_nothing(caller: Caller, name: str) -> None:
    """A picture whose pixels are all there comes back grey, whatever else its file holds or lacks."""
    taken = TAKEN[name]

    reply = await caller.invoke("grayscale", taken.file)

    expected = taken.picture.convert("RGB").convert("L")
    assert grey(reply.body).size == expected.size
    levels = ImageChops.difference(grey(reply.body), expected).histogram()
    assert sum(levels[taken.levels_off + 1 :]) == 0


@pytest.mark.parametrize("name", TAKEN)
async def test_the_same_pictures_are_classified(caller: Caller, name: str) -> None:
    """What is drawn on them is read as it is meant to be looked at."""
    assert (await classify(caller, "classify", TAKEN[name].file)).best == DIGIT


@pytest.mark.parametrize("method", ["grayscale", "classify"])
@pytest.mark.parametrize("name", REFUSED)
async def test_what_lacks_pixels_is_refused(caller: Caller, name: str, method: str) -> None:
    """Where pixels are missing or damaged there is no picture, but a sentence that says why."""
    file, sentence = REFUSED[name]

    failure = await caller.fail(method, file)

    assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REJECTED")
    assert failure.message == f"function '{method}': rejected the input: {sentence}"


async def test_the_exit_code_of_a_refused_picture(cache_environment: Mapping[str, str]) -> None:
    """On the command line the sentence is all of standard error, and the exit code is that of wrong data."""
    file, sentence = REFUSED["JPEG cut in its scan"]

    env = {**cache_environment, "WASM_GRPC_LOG": "error"}
    ended = run_command("run", MODULE, env=env, stdin=file)

    assert (ended.code, ended.stdout, ended.errors) == (EX_DATAERR, b"", [sentence])


async def test_alpha_that_a_mask_names_is_kept(caller: Caller) -> None:
    """A BMP's fourth mask is its alpha."""
    alpha = Image.linear_gradient("L").resize(PICTURE.size)
    pixels = Image.merge("RGBA", (*PICTURE.split()[::-1], alpha)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    bmp = Bmp(PICTURE.size, 32, pixels.tobytes(), header_bytes=108, compression=3, masks=masks)

    reply = await caller.invoke("grayscale", bmp.file)

    assert Image.open(io.BytesIO(reply.body)).split()[1].tobytes() == alpha.tobytes()


async def test_a_lossy_webp_without_segments_comes_back_right(caller: Caller) -> None:
    """Noise is the same everywhere, so that an encoder makes but one segment of it."""
    noise = Image.frombytes("L", (64, 48), random.Random(1).randbytes(64 * 48))
    file = encoded(noise, "WEBP", quality=60)
    assert not segments_of(file)

    reply = await caller.invoke("grayscale", file)

    expected = Image.open(io.BytesIO(file)).convert("RGB").convert("L")
    assert sum(ImageChops.difference(grey(reply.body), expected).histogram()[2:]) == 0


def segments_of(file: bytes) -> int:
    """Return the bit of a lossy WebP that says whether it has segments."""
    [(kind, content)] = webp_chunks(file)
    assert kind == b"VP8 "
    return content[10] >> 5 & 1


def left(plane: bytes, width: int, at: int) -> int:
    """Predict a sample of alpha from the one before it."""
    return plane[at - 1] if at % width else plane[at - width] if at else 0


def above(plane: bytes, width: int, at: int) -> int:
    """Predict a sample of alpha from the one above it."""
    return plane[at - width] if at >= width else plane[at - 1] if at else 0


def gradient(plane: bytes, width: int, at: int) -> int:
    """Predict a sample of alpha from those around it."""
    if at < width or at % width == 0:
        return above(plane, width, at) if at < width else left(plane, width, at)
    return max(0, min(255, plane[at - 1] + plane[at - width] - plane[at - width - 1]))


FILTERS: list[Callable[[bytes, int, int], int] | None] = [None, left, above, gradient]


@pytest.mark.parametrize("predict", FILTERS)
@pytest.mark.parametrize("size", [(40, 30), (41, 31)], ids=["even", "odd"])
async def test_alpha_that_is_not_packed_is_kept(
    caller: Caller, size: tuple[int, int], predict: Callable[[bytes, int, int], int] | None
) -> None:
    """A lossy WebP's alpha may come as it is, or as what differs from a prediction."""
    plane = random.Random(2).randbytes(size[0] * size[1])
    filtering = FILTERS.index(predict)
    rest = plane
    if predict is not None:
        rest = bytes((plane[at] - predict(plane, size[0], at)) % 256 for at in range(len(plane)))
    header = webp_chunk(b"VP8X", b"\x10\0\0\0" + b"".join((side - 1).to_bytes(3, "little") for side in size))
    alpha = webp_chunk(b"ALPH", bytes([filtering << 2]) + rest)
    [(kind, content)] = webp_chunks(encoded(PICTURE.resize(size), "WEBP"))

    reply = await caller.invoke("grayscale", webp([header, alpha, webp_chunk(kind, content)]))

    assert Image.open(io.BytesIO(reply.body)).split()[1].tobytes() == plane


def noise(mode: str, size: tuple[int, int]) -> Image.Image:
    """Return a picture of every colour, many of which no JPEG can say and no screen can show."""
    bits = random.Random(3)
    return Image.merge(mode, [Image.frombytes("L", size, bits.randbytes(size[0] * size[1])) for _ in mode])


def upright_samples(file: bytes) -> bytes:
    """Let a JPEG of 4:2:2 claim that its colours are sampled down, not across."""
    at = file.index(b"\xff\xc0") + 11
    assert file[at] == 0x21
    return file[:at] + b"\x12" + file[at + 1 :]


SAMPLED = {
    "4:4:4": encoded(noise("RGB", (61, 53)), "JPEG", subsampling="4:4:4", quality=95),
    "4:2:2": encoded(noise("RGB", (61, 53)), "JPEG", subsampling="4:2:2"),
    "4:2:0": encoded(noise("RGB", (61, 53)), "JPEG", subsampling="4:2:0"),
    "4:4:0": upright_samples(encoded(noise("RGB", (64, 64)), "JPEG", subsampling="4:2:2")),
    "4:2:2 of few columns": encoded(noise("RGB", (3, 20)), "JPEG", subsampling="4:2:2"),
    "4:2:0 of few columns": encoded(noise("RGB", (4, 20)), "JPEG", subsampling="4:2:0"),
    "4:2:0 of one pixel": encoded(noise("RGB", (1, 1)), "JPEG", subsampling="4:2:0"),
    "hardly any detail": encoded(noise("RGB", (61, 53)), "JPEG", quality=3),
    "all detail": encoded(noise("RGB", (61, 53)), "JPEG", quality=100),
    "codes of its own": encoded(noise("RGB", (61, 53)), "JPEG", optimize=True),
    "restarts": encoded(noise("RGB", (61, 53)), "JPEG", restart_marker_blocks=3),
    "grey": encoded(noise("L", (61, 53)), "JPEG"),
    "inks": encoded(noise("CMYK", (61, 53)), "JPEG"),
}


@pytest.mark.parametrize("name", SAMPLED)
async def test_a_jpeg_has_the_greys_that_pillow_gives_it(caller: Caller, name: str) -> None:
    """However a sequential JPEG is sampled, no pixel differs."""
    file = SAMPLED[name]

    reply = await caller.invoke("grayscale", file)

    expected = Image.open(io.BytesIO(file)).convert("L")
    assert Image.open(io.BytesIO(reply.body)).tobytes() == expected.tobytes()


async def test_a_gif_is_left_as_it_is_but_for_its_colours(caller: Caller) -> None:
    """Frames, delays and what comes behind the trailer are the same; what is behind the last frame ends there."""
    animation = encoded(INDEXED, "GIF", save_all=True, append_images=[EIGHT], duration=70)

    whole = await caller.invoke("grayscale", animation + b"<html>")
    unended = await caller.invoke("grayscale", animation[:-2])

    assert len(whole.body) == len(animation) + 6
    assert unended.body + b"<html>" == whole.body


async def test_of_an_animation_that_is_cut_the_first_frame_is_read(caller: Caller) -> None:
    """A second frame that is cut is a part of what turns grey, and none of what is classified."""
    animation = encoded(INDEXED, "GIF", save_all=True, append_images=[EIGHT], duration=70)

    failure = await caller.fail("grayscale", animation[:-20])
    answer = await classify(caller, "classify", animation[:-20])

    assert failure.message.endswith(": the GIF is truncated")
    assert answer.best == DIGIT


def cuts(length: int) -> list[int]:
    """Return some lengths of a file's beginning, the last ones all."""
    return [*range(1, length - CLOSE_BYTES, 1 + length // 40), *range(max(1, length - CLOSE_BYTES), length)]


@pytest.mark.parametrize("name", WHOLE)
async def test_a_cut_file_gives_the_whole_picture_or_none(caller: Caller, name: str) -> None:
    """Wherever a file is cut, what comes back is the same picture, or a sentence."""
    whole = WHOLE[name]
    expected = grey((await caller.invoke("grayscale", whole)).body).tobytes()

    answers = [await answer(caller, whole[:length]) for length in cuts(len(whole))]

    assert {answer for answer in answers if answer is not None} <= {expected}
    assert answers[0] is None


@pytest.mark.parametrize("name", WHOLE)
async def test_a_damaged_file_ends_no_guest(caller: Caller, name: str) -> None:
    """Whichever bit of a file is wrong, a picture comes back, or a sentence; of a PNG, the same picture."""
    whole = WHOLE[name]
    expected = grey((await caller.invoke("grayscale", whole)).body).tobytes()
    bits = random.Random(name)

    answers = []
    for _ in range(60):
        damaged = bytearray(whole)
        damaged[bits.randrange(bits.choice([80, len(whole)]))] ^= 1 << bits.randrange(8)
        answers.append(await answer(caller, bytes(damaged)))

    if "PNG" in name:
        assert {answer for answer in answers if answer is not None} <= {expected}
    assert None in answers


async def answer(caller: Caller, file: bytes) -> bytes | None:
    """Return the greys of a picture, or None where it is refused."""
    call = caller.start("grayscale", file)
    if await call.code() == grpc.StatusCode.OK:
        picture = Image.open(io.BytesIO((await call).data.value))
        return picture.convert("RGB").convert("L").tobytes()
    assert (await failure_of(call)).reason == "REJECTED"
    return None
