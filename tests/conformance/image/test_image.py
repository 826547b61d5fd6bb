"""wasmedge_image gives a guest the same pixels on every engine, by its current and its old names."""

from __future__ import annotations

import functools
import itertools
import re
import struct
from collections.abc import Sequence

import pytest

from conformance.engines.table import assemble
from conformance.image.guest import OUT, PAGES, PICTURE, call, guest
from pixels.files import Rows, jpeg, noise, png, png_of, ramp
from pixels.reference import bilinear, linear_light, smooth, unit
from wasm_grpc.core.model import PAGE_BYTES, GuestKind, Limits, Outcome, Reason
from wasm_grpc.engines.binary import read_module
from wasm_grpc.engines.protocol import Engine, Prepared
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.hosts.image.functions import FUNCTIONS
from wasm_grpc.hosts.image.state import PictureState
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr
from wasm_grpc.pictures.protocol import Decoder

__all__ = []

GUEST = guest_for(GuestKind.WASI_COMMAND)
MEMORY_BYTES = PAGES * PAGE_BYTES

CURRENT = ("load_jpg", "load_png", "load_image")
TYPES = ("rgb8", "bgr8", "rgb32f", "bgr32f")
OLD = tuple(f"wasmedge_image_load_{kind}_to_{each}" for kind in ("jpg", "png") for each in TYPES)
SIZES = {
    "the same size": (9, 6),
    "smaller": (4, 2),
    "larger": (21, 13),
    "wider and lower": (17, 3),
    "narrower and higher": (5, 11),
}
"""To which a picture of 9x6 pixels is scaled."""


@functools.cache
def prepared(engine: Engine, name: str) -> Prepared:
    """Return the guest that calls a function."""
    wasm = assemble(guest(name))
    assert GUEST.check(read_module(wasm)) == []
    return engine.load(engine.compile(wasm), GUEST.hosts)


def run(
    engine: Engine,
    decoder: Decoder,
    name: str,
    args: Sequence[int],
    picture: bytes,
    *,
    shown: int = 0,
    limits: Limits | None = None,
) -> Outcome:
    """Call a function once."""
    limits = limits or Limits()
    ready = GUEST.ready(prepared(engine, name), limits)  # type: ignore[arg-type] # hashed by identity
    invocation = GuestCall(
        args=b"",
        env=b"",
        stdin=BytesStdin(call(args, picture, shown=shown)),
        stdout=CollectedStdout(None),
        stderr=Stderr(64 * 1024),
        limits=limits,
        states={PictureState: functools.partial(PictureState, decoder)},
    )
    return ready.run(invocation).outcome


def arguments(name: str, picture: bytes, size: tuple[int, int], kind: str) -> list[int]:
    """Return the arguments that a guest which is right would pass."""
    room = size[0] * size[1] * 3 * (4 if kind.endswith("f") else 1)
    more = [TYPES.index(kind), OUT, room] if name in CURRENT else [OUT]
    return [PICTURE, len(picture), *size, *more]


def expected(name: str, rows: Rows, size: tuple[int, int], kind: str) -> list[float]:
    """Return the channels that the definition of scaling gives."""
    if name in CURRENT:
        scaled = smooth(rows, *size, linear_light) if kind.endswith("f") else smooth(rows, *size)
    else:
        scaled = [
            [[unit(each) if kind.endswith("f") else each for each in pixel] for pixel in row]
            for row in bilinear(rows, *size)
        ]
    order = slice(None, None, -1 if kind.startswith("b") else 1)
    channels = [channel for row in scaled for pixel in row for channel in pixel[order]]
    return channels if kind.endswith("f") else [min(max(each, 0), 255) for each in channels]


def found(outcome: Outcome, kind: str) -> Sequence[float]:
    """Return the channels that a guest has written, behind a result of 0."""
    assert (outcome.reason, outcome.stderr, outcome.body[:1]) == (Reason.OK, b"", b"\0")
    pixels = outcome.body[1:]
    return struct.unpack(f"<{len(pixels) // 4}f", pixels) if kind.endswith("f") else pixels


def largest_difference(one: Sequence[float], other: Sequence[float]) -> float:
    """Compare channels."""
    assert len(one) == len(other)
    return max(abs(a - b) for a, b in zip(one, other))  # noqa: B905 - CPython 3.10 knows strict, wat no


CALLS = [*itertools.product(CURRENT, TYPES), *((name, name.rsplit("_", 1)[1]) for name in OLD)]


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize(("name", "kind"), CALLS, ids=lambda value: value)
def test_pixels(engine: Engine, decoder: Decoder, name: str, kind: str, size: tuple[int, int]) -> None:
    """Every function, type and size: within one of 255 of the definition, and 0 of it for the same size."""
    is_jpeg = "jpg" in name
    rows = ramp(9, 6) if is_jpeg else noise(9, 6)
    picture = jpeg(rows) if is_jpeg else png(rows)
    args = arguments(name, picture, size, kind)

    outcome = run(engine, decoder, name, args, picture, shown=args[2] * args[3] * (12 if "f" in kind else 3))

    # A JPEG has lost a few units before it is scaled.
    lost = 4 if is_jpeg else 0
    is_exact = size == (9, 6) and not is_jpeg
    unit_size = 1 / 255 if kind.endswith("f") else 1
    allowed = 1e-6 if is_exact else (1.01 + 2 * lost) * unit_size
    assert largest_difference(found(outcome, kind), expected(name, rows, size, kind)) <= allowed


def test_every_function_has_a_call() -> None:
    """The table above calls every function that can be imported."""
    assert {name for name, _ in CALLS} == {name for _, name in FUNCTIONS}


@pytest.mark.parametrize("name", CURRENT)
@pytest.mark.parametrize("content", [png(ramp(9, 6)), b"jpeg"], ids=["png", "jpeg"])
def test_a_current_function_decodes_by_content(
    engine: Engine, decoder: Decoder, name: str, content: bytes
) -> None:
    """Whatever its name says, as WasmEdge does."""
    picture = jpeg(ramp(9, 6)) if content == b"jpeg" else content

    outcome = run(engine, decoder, name, arguments(name, picture, (9, 6), "rgb8"), picture, shown=162)

    difference = largest_difference(found(outcome, "rgb8"), expected(name, ramp(9, 6), (9, 6), "rgb8"))
    assert difference <= 4


SOUND = png(noise(4, 3))
HUGE = png_of((30_000, 30_000), 8, 2, b"")
FAR = 1 << 31
WRAPPING = 65_536
"""Its square, times 3 or 12, is 0 in 32 bits."""
FAILURES: dict[str, tuple[str, list[int], bytes, str]] = {
    "no picture": (
        "load_image",
        [PICTURE, 10, 2, 2, 0, OUT, 12],
        b"no picture",
        "the picture is not JPEG or PNG; expected a file of that format",
    ),
    "an empty picture": (
        "load_image",
        [PICTURE, 0, 2, 2, 0, OUT, 12],
        SOUND,
        "the picture is not JPEG or PNG; expected a file of that format",
    ),
    "cut off": (
        "load_png",
        [PICTURE, len(SOUND) - 30, 2, 2, 0, OUT, 12],
        SOUND,
        "the picture can't be read (…); expected a whole PNG file",
    ),
    "a bomb": (
        "load_png",
        [PICTURE, len(HUGE), 2, 2, 0, OUT, 12],
        HUGE,
        "the picture has 30000x30000 pixels; expected at most 16777216, which is a quarter of limits.memory",
    ),
    "an unknown type": (
        "load_png",
        [PICTURE, len(SOUND), 2, 2, 4, OUT, 12],
        SOUND,
        "the type 4 is unknown; expected one of 0 (RGB8), 1 (BGR8), 2 (RGB32F), 3 (BGR32F)",
    ),
    "a negative type": (
        "load_png",
        [PICTURE, len(SOUND), 2, 2, -1, OUT, 12],
        SOUND,
        "the type 4294967295 is unknown; expected one of 0 (RGB8), 1 (BGR8), 2 (RGB32F), 3 (BGR32F)",
    ),
    "no width": (
        "load_png",
        [PICTURE, len(SOUND), 0, 2, 0, OUT, 12],
        SOUND,
        "the size is 0x2 pixels; expected at least 1x1",
    ),
    "no height": (
        "load_png",
        [PICTURE, len(SOUND), 2, 0, 0, OUT, 12],
        SOUND,
        "the size is 2x0 pixels; expected at least 1x1",
    ),
    "too little room": (
        "load_png",
        [PICTURE, len(SOUND), 2, 2, 1, OUT, 11],
        SOUND,
        "the buffer has 11 bytes; expected 12 for 2x2 pixels of BGR8",
    ),
    "too little room for floats": (
        "load_png",
        [PICTURE, len(SOUND), 2, 2, 2, OUT, 47],
        SOUND,
        "the buffer has 47 bytes; expected 48 for 2x2 pixels of RGB32F",
    ),
    "a product that wraps": (
        "load_png",
        [PICTURE, len(SOUND), WRAPPING, WRAPPING, 0, OUT, 12],
        SOUND,
        "the buffer has 12 bytes; expected 12884901888 for 65536x65536 pixels of RGB8",
    ),
    "the largest size": (
        "load_png",
        [PICTURE, len(SOUND), FAR, FAR, 3, OUT, 12],
        SOUND,
        f"the buffer has 12 bytes; expected {12 * FAR * FAR} for {FAR}x{FAR} pixels of BGR32F",
    ),
    "a picture beyond memory": (
        "load_png",
        [MEMORY_BYTES - 7, 8, 2, 2, 0, OUT, 12],
        SOUND,
        f"the picture is out of bounds; expected 8 bytes at {MEMORY_BYTES - 7} within {MEMORY_BYTES}",
    ),
    "a picture at the end of the address space": (
        "load_png",
        [-1, -1, 2, 2, 0, OUT, 12],
        SOUND,
        f"the picture is out of bounds; expected 4294967295 bytes at 4294967295 within {MEMORY_BYTES}",
    ),
    "a buffer beyond memory": (
        "load_png",
        [PICTURE, len(SOUND), 2, 2, 0, MEMORY_BYTES - 12, 13],
        SOUND,
        f"the buffer is out of bounds; expected 13 bytes at {MEMORY_BYTES - 12} within {MEMORY_BYTES}",
    ),
    "old: another format": (
        "wasmedge_image_load_jpg_to_rgb8",
        [PICTURE, len(SOUND), 2, 2, OUT],
        SOUND,
        "the picture is not JPEG; expected a file of that format",
    ),
    "old: no picture": (
        "wasmedge_image_load_png_to_bgr32f",
        [PICTURE, 10, 2, 2, OUT],
        b"no picture",
        "the picture is not PNG; expected a file of that format",
    ),
    "old: no width": (
        "wasmedge_image_load_png_to_rgb8",
        [PICTURE, len(SOUND), 0, 2, OUT],
        SOUND,
        "the size is 0x2 pixels; expected at least 1x1",
    ),
    "old: a product that wraps": (
        "wasmedge_image_load_png_to_rgb32f",
        [PICTURE, len(SOUND), WRAPPING, WRAPPING, OUT],
        SOUND,
        f"the buffer is out of bounds; expected 51539607552 bytes at {OUT} within {MEMORY_BYTES}",
    ),
    "old: a buffer beyond memory": (
        "wasmedge_image_load_png_to_rgb8",
        [PICTURE, len(SOUND), 2, 2, MEMORY_BYTES - 11],
        SOUND,
        f"the buffer is out of bounds; expected 12 bytes at {MEMORY_BYTES - 11} within {MEMORY_BYTES}",
    ),
}


@pytest.mark.parametrize(("name", "args", "picture", "log"), FAILURES.values(), ids=FAILURES)
def test_failures(
    engine: Engine, decoder: Decoder, name: str, args: list[int], picture: bytes, log: str
) -> None:
    """The function returns 1, leaves memory as it was, and logs one line."""
    outcome = run(engine, decoder, name, args, picture, shown=48)

    told = re.sub(r"can't be read \(.+\)", "can't be read (…)", outcome.stderr.decode())
    assert (outcome.reason, outcome.body) == (Reason.OK, b"\1" + bytes(48))
    assert told == f"wasmedge_image: {name}: {log}\n"


def test_the_limit_on_pixels_follows_the_limit_on_memory(engine: Engine, decoder: Decoder) -> None:
    """A picture may have as many pixels as fit into the guest's memory at four bytes each."""
    limits = Limits(memory_bytes=MEMORY_BYTES)
    largest, larger = png(noise(256, 256)), png_of((256, 257), 8, 2, bytes(257 * 769))

    taken = run(engine, decoder, "load_png", [PICTURE, 0, 1, 1, 0, OUT, 3], b"", limits=limits)
    refused = run(engine, decoder, "load_png", [PICTURE, len(larger), 1, 1, 0, OUT, 3], larger, limits=limits)

    assert len(largest) > OUT - PICTURE
    assert b"is not JPEG or PNG" in taken.stderr
    assert b"has 256x257 pixels; expected at most 65536," in refused.stderr


def test_a_buffer_with_more_room(engine: Engine, decoder: Decoder) -> None:
    """What is left of it keeps its content."""
    args = [PICTURE, len(SOUND), 4, 3, 0, OUT, 40]

    outcome = run(engine, decoder, "load_png", args, SOUND, shown=40)

    pixels = [channel for row in noise(4, 3) for pixel in row for channel in pixel]
    assert outcome.body == bytes([0, *pixels, 0, 0, 0, 0])


@pytest.mark.parametrize("at", [OUT + 1, OUT + 2, OUT + 3])
def test_floats_at_an_odd_address(engine: Engine, decoder: Decoder, at: int) -> None:
    """They need no alignment, as WebAssembly's own stores don't."""
    args = [PICTURE, len(SOUND), 4, 3, 2, at, 144]

    outcome = run(engine, decoder, "load_png", args, SOUND, shown=148)

    floats = struct.unpack("<36f", outcome.body[1 + at - OUT :][:144])
    assert largest_difference(floats, expected("load_png", noise(4, 3), (4, 3), "rgb32f")) < 1e-6


@pytest.mark.parametrize("name", ["load_png", "wasmedge_image_load_png_to_rgb8"])
def test_a_buffer_that_is_the_picture(engine: Engine, decoder: Decoder, name: str) -> None:
    """The file is read before the first pixel is written."""
    picture = png(noise(40, 30))
    padding = bytes(OUT - PICTURE)
    args = arguments(name, picture, (40, 30), "rgb8")
    args[0] = OUT

    outcome = run(engine, decoder, name, args, padding + picture, shown=3600)

    assert bytes(found(outcome, "rgb8")) == bytes(c for row in noise(40, 30) for p in row for c in p)  # type: ignore[arg-type] # bytes
