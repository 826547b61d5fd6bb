"""Files of every kind: which pixels come out, and what is said of those that are refused."""

from __future__ import annotations

import logging
import platform
import signal
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixels.files import Rows, chunk, jpeg, noise, png, png_of, ramp
from wasm_grpc.core.errors import PicturesUnavailableError
from wasm_grpc.pictures.protocol import Decoder, PictureError, PictureFormat, PixelType, Scaling, Target
from wasm_grpc.pictures.registry import open_decoder

__all__ = []

BOTH = (PictureFormat.JPEG, PictureFormat.PNG)
PALETTE = chunk(b"PLTE", bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7]))
"""Red, green, blue, and nearly black."""
RED, GREEN, BLUE, DARK = [255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 8, 7]


def decoded(decoder: Decoder, content: bytes, width: int, height: int) -> Rows:
    """Return the pixels of a file whose size is known."""
    target = Target(width, height, PixelType.RGB8)
    out = bytearray(target.size_bytes)
    picture = decoder.decode(content, formats=BOTH, pixel_limit=10_000)
    picture.scale_into(memoryview(out), target, Scaling.BILINEAR)
    pixels = [list(out[at : at + 3]) for at in range(0, len(out), 3)]
    return [pixels[at : at + width] for at in range(0, len(pixels), width)]


def grey(*levels: int) -> list[list[int]]:
    """Return a row of grey pixels."""
    return [[level] * 3 for level in levels]


PNGS: dict[str, tuple[bytes, Rows]] = {
    "grey, 1 bit": (png_of((3, 1), 1, 0, b"\0\xa0"), [grey(255, 0, 255)]),
    "grey, 2 bits": (png_of((4, 1), 2, 0, b"\0\x1b"), [grey(0, 85, 170, 255)]),
    "grey, 4 bits": (png_of((2, 1), 4, 0, b"\0\x1f"), [grey(17, 255)]),
    "grey, 8 bits": (png_of((2, 1), 8, 0, b"\0\x12\xfe"), [grey(0x12, 0xFE)]),
    "grey, 16 bits": (png_of((2, 1), 16, 0, b"\0\x12\xff\xfe\x80"), [grey(0x12, 0xFE)]),
    "grey and alpha": (png_of((2, 1), 8, 4, b"\0\x12\x00\xfe\x80"), [grey(0x12, 0xFE)]),
    "grey and alpha, 16 bits": (
        png_of((2, 1), 16, 4, b"\0\x12\xff\x00\x00\xfe\x80\xff\xff"),
        [grey(0x12, 0xFE)],
    ),
    "colour, 16 bits": (png_of((1, 1), 16, 2, b"\0\x01\xff\x02\xff\x03\xff"), [[[1, 2, 3]]]),
    "colour and alpha": (
        png_of((2, 1), 8, 6, b"\0\x01\x02\x03\x00\x04\x05\x06\x80"),
        [[[1, 2, 3], [4, 5, 6]]],
    ),
    "colour and alpha, 16 bits": (
        png_of((1, 1), 16, 6, b"\0\x01\xff\x02\xff\x03\xff\x00\x00"),
        [[[1, 2, 3]]],
    ),
    "a transparent colour": (
        png_of((2, 1), 8, 2, b"\0\x01\x02\x03\x04\x05\x06", more=chunk(b"tRNS", b"\0\x01\0\x02\0\x03")),
        [[[1, 2, 3], [4, 5, 6]]],
    ),
    "palette, 8 bits": (png_of((4, 1), 8, 3, b"\0\3\2\1\0", more=PALETTE), [[DARK, BLUE, GREEN, RED]]),
    "palette, 2 bits": (png_of((4, 1), 2, 3, b"\0\xe4", more=PALETTE), [[DARK, BLUE, GREEN, RED]]),
    "palette and alpha": (
        png_of((2, 1), 8, 3, b"\0\0\2", more=PALETTE + chunk(b"tRNS", b"\0\x80\0")),
        [[RED, BLUE]],
    ),
    "palette with one transparent entry": (
        png_of((2, 1), 8, 3, b"\0\0\2", more=PALETTE + chunk(b"tRNS", b"\0")),
        [[RED, BLUE]],
    ),
    "a transparent level out of range": (
        png_of((2, 1), 8, 0, b"\0\x12\xfe", more=chunk(b"tRNS", b"\xff\xff")),
        [grey(0x12, 0xFE)],
    ),
    "a wrong animation": (
        png_of((2, 1), 8, 0, b"\0\x12\xfe", more=chunk(b"acTL", bytes(8))),
        [grey(0x12, 0xFE)],
    ),
    "a gamma": (png_of((1, 1), 8, 2, b"\0\1\2\3", more=chunk(b"gAMA", b"\0\0\xb1\x8f")), [[[1, 2, 3]]]),
    "interlaced": (png(noise(13, 11), is_interlaced=True), noise(13, 11)),
    "filtered rows": (png_of((2, 2), 8, 0, b"\1\5\1\2\1\1"), [grey(5, 6), grey(6, 7)]),
    "without its end": (png(noise(5, 4))[:-12], noise(5, 4)),
}


@pytest.mark.parametrize(("content", "expected"), PNGS.values(), ids=PNGS)
def test_a_png(decoder: Decoder, content: bytes, expected: Rows) -> None:
    """Each pixel is exact. Of 16 bits the upper 8 count, and alpha and gamma are ignored."""
    assert decoded(decoder, content, len(expected[0]), len(expected)) == expected


def luma(rows: Rows) -> Rows:
    """Return a picture without colour, by the weights of JPEG (ITU-R BT.601)."""
    return [grey(*[round(0.299 * r + 0.587 * g + 0.114 * b) for r, g, b in row]) for row in rows]


RAMP = ramp(24, 20)
JPEGS: dict[str, tuple[Callable[[], bytes], Rows]] = {
    "baseline": (lambda: jpeg(RAMP), RAMP),
    "progressive": (lambda: jpeg(RAMP, progressive=True), RAMP),
    "subsampled": (lambda: jpeg(RAMP, subsampling=2), RAMP),
    "red, green and blue": (lambda: jpeg(RAMP, keep_rgb=True), RAMP),
    "grey": (lambda: jpeg(RAMP, mode="L"), luma(RAMP)),
    "CMYK": (lambda: jpeg(RAMP, mode="CMYK"), RAMP),
    "turned by Exif": (lambda: jpeg(RAMP, exif=_orientation(6)), RAMP),
}


def _orientation(value: int) -> bytes:
    # A TIFF header and one directory: the orientation, and no resolution.
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x112, 3, 1, value, 0)


@pytest.mark.parametrize(("make", "expected"), JPEGS.values(), ids=JPEGS)
def test_a_jpeg(decoder: Decoder, make: Callable[[], bytes], expected: Rows) -> None:
    """Each channel is within a few units. Which way up the camera was held doesn't count."""
    found = decoded(decoder, make(), 24, 20)

    differences = [
        abs(a - b)
        for one, other in zip(found, expected, strict=True)
        for pixel, wanted in zip(one, other, strict=True)
        for a, b in zip(pixel, wanted, strict=True)
    ]
    assert max(differences) <= 6


SOUND = png(noise(40, 30))
BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "is not JPEG or PNG; expected a file of that format"),
    "text": (lambda: b"no picture", "is not JPEG or PNG; expected a file of that format"),
    "a GIF": (lambda: b"GIF89a\1\0\1\0\0\0\0", "is not JPEG or PNG; expected a file of that format"),
    "the start of a PNG": (lambda: SOUND[:8], "can't be read (…); expected a whole PNG file"),
    "half a PNG": (lambda: SOUND[: len(SOUND) // 2], "can't be read (…); expected a whole PNG file"),
    "a PNG of 0x0": (lambda: png_of((0, 0), 8, 2, b""), "can't be read (…); expected a whole PNG file"),
    "a PNG with a wrong checksum": (
        lambda: SOUND[:29] + b"\0\0\0\0" + SOUND[33:],
        "can't be read (…); expected a whole PNG file",
    ),
    "a PNG with a short chunk after its pixels": (
        lambda: SOUND[:-12] + chunk(b"cHRM", b"\0") + SOUND[-12:],
        "can't be read (…); expected a whole PNG file",
    ),
    "a PNG of an unknown depth": (
        lambda: png_of((1, 1), 5, 2, b"\0\1\2\3"),
        "can't be read (…); expected a whole PNG file",
    ),
    "the start of a JPEG": (lambda: b"\xff\xd8\xff", "can't be read (…); expected a whole JPEG file"),
    "half a JPEG": (lambda: jpeg(RAMP)[:-200], "can't be read (…); expected a whole JPEG file"),
    "too many pixels": (
        lambda: png(noise(101, 100)),
        "has 101x100 pixels; expected at most 10000, which is a quarter of limits.memory",
    ),
    "a bomb": (
        lambda: png_of((30_000, 30_000), 8, 2, b""),
        "has 30000x30000 pixels; expected at most 10000, which is a quarter of limits.memory",
    ),
    "the largest size": (
        lambda: png_of(((1 << 31) - 1, (1 << 31) - 1), 8, 2, b""),
        "has 2147483647x2147483647 pixels; expected at most 10000, which is a quarter of limits.memory",
    ),
    "text that explodes": (
        lambda: png_of((1, 1), 8, 2, b"\0\1\2\3", more=_long_text()),
        "can't be read (…); expected a whole PNG file",
    ),
}


def _long_text() -> bytes:
    return chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 24)))


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_what_is_refused(decoder: Decoder, make: Callable[[], bytes], message: str) -> None:
    """The sentence says what is wrong, and what was expected."""
    with pytest.raises(PictureError) as caught:
        decoder.decode(make(), formats=BOTH, pixel_limit=10_000)

    found = str(caught.value)
    start, end = found.find("("), found.rfind(")")
    assert (found[: start + 1] + "…" + found[end:] if start >= 0 else found) == message


def test_a_format_that_is_not_accepted(decoder: Decoder) -> None:
    """The content decides, and a file of the other format is refused by its first bytes."""
    with pytest.raises(PictureError) as caught:
        decoder.decode(SOUND, formats=(PictureFormat.JPEG,), pixel_limit=10_000)

    assert str(caught.value) == "is not JPEG; expected a file of that format"


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([0, 1]), st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=8))
def test_damage_anywhere_is_refused_or_decoded(
    decoder: Decoder, which: int, damage: list[tuple[int, int]]
) -> None:
    """No error but `PictureError` comes out, whichever bytes are wrong."""
    content = bytearray((SOUND, jpeg(RAMP))[which])
    for at, value in damage:
        content[at % len(content)] = value

    try:
        decoded(decoder, bytes(content), 8, 8)
    except PictureError as exc:
        assert "\n" not in str(exc)  # noqa: PT017 - either may happen


def test_a_crash_ends_the_process() -> None:
    """Whatever handler an engine has for faults: Wasmer's would leave Pillow in the middle of its work."""
    script = (
        "import os, signal, sys\n"
        "from wasm_grpc.pictures.registry import open_decoder\n"
        "from wasm_grpc.pictures.protocol import PictureFormat\n"
        "from PIL.PngImagePlugin import PngImageFile\n"
        "signal.signal(signal.SIGFPE, signal.SIG_IGN)\n"
        "PngImageFile.load = lambda _: os.kill(os.getpid(), signal.SIGFPE)\n"
        "content = sys.stdin.buffer.read()\n"
        "open_decoder().decode(content, formats=(PictureFormat.PNG,), pixel_limit=10_000)\n"
    )

    ended = subprocess.run([sys.executable, "-c", script], input=SOUND, capture_output=True, check=False)

    assert ended.returncode == -signal.SIGFPE


def test_nothing_is_warned_of_or_logged(decoder: Decoder, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever sends a file does not write to the server's log."""
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings():
        warnings.simplefilter("error")
        for content, _ in PNGS.values():
            decoder.decode(content, formats=BOTH, pixel_limit=10_000)

    assert caplog.records == []


def test_no_other_plugin_is_imported(decoder: Decoder) -> None:
    """A JPEG with Exif and no resolution makes Pillow import its TIFF plugin, unless it is kept from it."""
    script = (
        "import sys\n"
        "from wasm_grpc.pictures.registry import open_decoder\n"
        "from wasm_grpc.pictures.protocol import PictureFormat\n"
        "content = sys.stdin.buffer.read()\n"
        "open_decoder().decode(content, formats=(PictureFormat.JPEG,), pixel_limit=1000)\n"
        "print(*sorted(name for name in sys.modules if name.endswith('ImagePlugin')))\n"
    )
    plain = jpeg(RAMP, exif=_orientation(6))
    without_jfif = plain[:2] + plain[20:]

    found = subprocess.run(
        [sys.executable, "-c", script], input=without_jfif, capture_output=True, check=True
    )

    assert found.stdout.split() == [b"PIL.JpegImagePlugin", b"PIL.PngImagePlugin"]


@pytest.mark.parametrize("package", ["PIL", "numpy"])
def test_what_is_said_where_a_package_is_missing(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """The interpreter is named, the package, and the remedy."""
    for name in [name for name in sys.modules if name.startswith("wasm_grpc.pictures.")]:
        monkeypatch.delitem(sys.modules, name)
    # None makes the import fail.
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(PicturesUnavailableError) as caught:
        open_decoder()

    here = f"{platform.python_implementation()} {platform.python_version()}"
    assert str(caught.value) == (
        f"pictures can't be decoded in {here} (import of {package} halted; None in sys.modules); "
        "expected 'wasm-grpc[pictures]' there (`make setup` installs it)"
    )
