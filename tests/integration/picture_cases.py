"""Pictures of a four that every browser shows, however odd their files are, and such as none shows whole."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageOps

from integration.digits import draw
from integration.handwriting import HANDS
from integration.picture_files import (
    Bmp,
    Png,
    bmp_palette,
    bmp_rows,
    encoded,
    exif,
    gif_blocks,
    jpeg_segments,
    png_chunk,
    segment,
    webp,
    webp_chunk,
    webp_chunks,
)

__all__ = ["DIGIT", "EIGHT", "INDEXED", "PICTURE", "REFUSED", "TAKEN", "WHOLE", "Taken"]

DIGIT = "4"

PICTURE = ImageOps.colorize(draw(HANDS["careful"][4], pen=16), "navy", "gold").resize((61, 53))
INDEXED = PICTURE.quantize(16)
GREY = PICTURE.convert("L")
EIGHT = ImageOps.colorize(draw(HANDS["careful"][8], pen=16), "navy", "gold").resize(PICTURE.size).quantize(16)

END = b"\xff\xd9"
JPEG = encoded(PICTURE, "JPEG", quality=92)
PROGRESSIVE = encoded(PICTURE, "JPEG", progressive=True)
WITH_RESTARTS = encoded(PICTURE, "JPEG", restart_marker_blocks=1)
GIF = encoded(INDEXED, "GIF", interlace=False)
GIF_HEAD, GIF_BLOCKS = gif_blocks(GIF)
WEBP = encoded(PICTURE, "WEBP", quality=90)
LOSSLESS = encoded(PICTURE, "WEBP", lossless=True)


@dataclass(frozen=True)
class Taken:
    """A file, and the picture on it as it is meant to be looked at."""

    file: bytes
    picture: Image.Image
    levels_off: int = 0
    """By how much the greys may differ."""


def _turned(orientation: int) -> Image.Image:
    """Return the picture as a camera saves it that was held so."""
    undone = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return PICTURE if orientation == 1 else PICTURE.transpose(undone[orientation])


def _png(name: str, png: Png, cut: int = 0) -> tuple[str, Taken]:
    return f"PNG {name}", Taken(png.file[: len(png.file) - cut], png.picture)


def _pngs() -> Iterator[tuple[str, Taken]]:
    profile = b"p\0\0" + zlib.compress(bytes(200))
    size = png_chunk(b"pHYs", struct.pack(">IIB", 2835, 2835, 1))
    packed = Png(PICTURE).packed
    palette = png_chunk(b"PLTE", bytes(INDEXED.getpalette() or []))
    wrong = 0x12345678
    before = {
        "two iCCP": [png_chunk(b"iCCP", profile)] * 2,
        "iCCP with a wrong checksum inside": [png_chunk(b"iCCP", profile[:-1] + b"\0")],
        "iCCP that is no profile": [png_chunk(b"iCCP", b"")],
        "two pHYs": [size, size],
        "pHYs of two bytes": [png_chunk(b"pHYs", b"\0\0")],
        "two gAMA": [png_chunk(b"gAMA", struct.pack(">I", 45455))] * 2,
        "two cHRM, too short": [png_chunk(b"cHRM", bytes(9))] * 2,
        "two sRGB of no known intent": [png_chunk(b"sRGB", b"\x09")] * 2,
        "tEXt with a wrong checksum": [png_chunk(b"tEXt", b"a\0b", wrong)],
        "tEXt without a keyword": [png_chunk(b"tEXt", b"")],
        "zTXt and iTXt that can't be read": [png_chunk(b"zTXt", b"a\0\7"), png_chunk(b"iTXt", b"\0\1")],
        "bKGD of the wrong length": [png_chunk(b"bKGD", b"\0")],
        "sBIT of the wrong length": [png_chunk(b"sBIT", bytes(7))],
        "hIST without a palette": [png_chunk(b"hIST", bytes(6))],
        "tIME of no time": [png_chunk(b"tIME", bytes(7))],
        "tRNS with a wrong checksum": [png_chunk(b"tRNS", bytes(6), wrong)],
        "tRNS of the wrong length": [png_chunk(b"tRNS", bytes(5))],
        "unknown chunks": [png_chunk(b"abCd", b"x", wrong), png_chunk(b"vpAg", bytes(9))],
        "acTL of no frames": [png_chunk(b"acTL", bytes(8))],
        "a palette that only suggests, damaged": [png_chunk(b"PLTE", bytes(4), wrong)],
        "damaged eXIf": [png_chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff")],
    }
    for name, chunks in before.items():
        yield _png(name, Png(PICTURE, before=chunks))

    after = {
        "tRNS behind the pixels": [png_chunk(b"tRNS", bytes(6))],
        "tIME and tEXt, damaged, behind the pixels": [
            png_chunk(b"tIME", b"", wrong),
            png_chunk(b"tEXt", b"", wrong),
        ],
    }
    for name, chunks in after.items():
        yield _png(name, Png(PICTURE, after=chunks))

    yield _png("without IEND", Png(PICTURE, end=b""))
    yield _png("with half of IEND", Png(PICTURE), cut=7)
    yield _png("without IEND's checksum", Png(PICTURE), cut=4)
    yield _png(
        "cut in a text behind the pixels", Png(PICTURE, after=[png_chunk(b"tEXt", b"a\0bc")], end=b""), 6
    )
    yield _png("without the pixels' checksum", Png(PICTURE, end=b""), cut=4)
    yield _png("cut in the packed pixels' own checksum", Png(PICTURE, end=b""), cut=4 + 3)
    yield _png("interlaced, cut there", Png(PICTURE, end=b"", is_interlaced=True), cut=4 + 4)
    yield _png("indexed, cut there", Png(INDEXED, before=[palette], end=b""), cut=4 + 1)
    yield _png("followed by what is no chunk", Png(PICTURE, end=png_chunk(b"IEND", b"") + b"<html>"))

    half = len(packed) // 2
    text = png_chunk(b"tEXt", b"a\0b")
    data = {
        "pixels in parts, some empty": [packed[:1], b"", packed[1:half], packed[half:], b""],
        "pixels with bytes behind them": [packed + b"behind"],
        "more rows than it has": [zlib.compress(zlib.decompress(packed) + bytes(900))],
        "pixels whose own checksum is wrong": [packed[:-4] + b"\0\0\0\0"],
    }
    for name, contents in data.items():
        yield _png(name, Png(PICTURE, data=[png_chunk(b"IDAT", content) for content in contents]))
    yield _png(
        "a chunk's checksum wrong, the pixels' right", Png(PICTURE, data=[png_chunk(b"IDAT", packed, wrong)])
    )
    parts = [png_chunk(b"IDAT", packed[:half]), text, png_chunk(b"IDAT", packed[half:])]
    yield _png("a text between its pixels", Png(PICTURE, data=parts))

    for orientation in range(1, 9):
        turned = Png(_turned(orientation), before=[png_chunk(b"eXIf", exif(orientation))])
        yield f"PNG of orientation {orientation}", Taken(turned.file, PICTURE)
    turned = Png(_turned(6), after=[png_chunk(b"eXIf", exif(6))])
    yield "PNG of orientation 6, said behind the pixels", Taken(turned.file, PICTURE)


def _without(file: bytes, *markers: int) -> bytes:
    return b"".join(content for marker, content in jpeg_segments(file) if marker not in markers)


def _with(file: bytes, *segments: bytes) -> bytes:
    """Return the JPEG with more segments at its start."""
    return file[:2] + b"".join(segments) + file[2:]


SCAN_HEADER = b"\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\x3f\0"


def _renumbered(file: bytes) -> bytes:
    """Return the JPEG with Huffman tables 2 in place of 1."""
    parts = []
    for marker, content in jpeg_segments(file):
        if marker == 0xC4:
            table = content[4] + content[4] % 16
            parts.append(content[:4] + bytes([table]) + content[5:])
            continue
        parts.append(content.replace(SCAN_HEADER, SCAN_HEADER.replace(b"\x11", b"\x22")))
    return b"".join(parts)


def _jpegs() -> Iterator[tuple[str, Taken]]:
    # Components named "RGB" aren't transformed, and no JFIF says otherwise.
    as_is = encoded(PICTURE, "JPEG", quality=95, keep_rgb=True)
    as_is = _without(as_is, 0xE0, 0xEE)
    jfif = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    untransformed, odd = (segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([kind])) for kind in (0, 7))
    files = {
        "without its end": JPEG.removesuffix(END),
        "with half of its end": JPEG[:-1],
        "progressive, without its end": PROGRESSIVE.removesuffix(END),
        "with restarts, without its end": WITH_RESTARTS.removesuffix(END),
        "without its Huffman tables": _without(JPEG, 0xC4),
        "of Motion JPEG": _with(_without(JPEG, 0xC4, 0xE0), segment(0xE0, b"AVI1\0\0\0\0\0")),
        "without its Huffman tables and its end": _without(JPEG, 0xC4, 0xD9),
        "with one of its Huffman tables": b"".join(
            content
            for at, (marker, content) in enumerate(jpeg_segments(JPEG))
            if marker != 0xC4 or at == [marker for marker, _ in jpeg_segments(JPEG)].index(0xC4)
        ),
        "with damaged Exif": _with(JPEG, segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff")),
        "with a profile that is none": _with(JPEG, segment(0xE2, b"ICC_PROFILE\0\7\3") * 2),
        "with short segments of applications": _with(JPEG, *(segment(at, b"x") for at in range(0xE0, 0xF0))),
        "with JFIF, and Adobe's word against it": _with(_without(JPEG, 0xE0), jfif, untransformed),
        "with an unknown transform of Adobe's": _with(_without(JPEG, 0xE0), odd),
        "with a comment that is cut": JPEG.removesuffix(END) + b"\xff\xfe\x00\x40cut",
        "with bytes between its segments": JPEG[:20] + b"\0\1\2\3" + JPEG[20:],
        "with a restart behind its scan": JPEG.removesuffix(END) + b"\xff\xd0" + END,
        "with tables of more than a baseline's numbers": _renumbered(JPEG),
        "with a scan that claims to be part of one": JPEG.replace(SCAN_HEADER, SCAN_HEADER[:-3] + b"\0\5\1"),
        "with fill bytes": JPEG.removesuffix(END) + b"\xff\xff\xff\xff" + END,
        "with a second picture behind it": JPEG + JPEG,
    }
    for name, file in files.items():
        yield f"JPEG {name}", Taken(file, PICTURE, levels_off=JPEG_LEVELS_OFF)
    yield "JPEG whose components are red, green and blue", Taken(as_is, PICTURE, levels_off=JPEG_LEVELS_OFF)
    for orientation in range(1, 9):
        turned = encoded(_turned(orientation), "JPEG", quality=92, exif=b"Exif\0\0" + exif(orientation))
        yield f"JPEG of orientation {orientation}", Taken(turned, PICTURE, levels_off=JPEG_LEVELS_OFF)
    turned = encoded(_turned(6), "JPEG", quality=92, exif=b"Exif\0\0" + exif(6)).removesuffix(END)
    yield "JPEG of orientation 6, without its end", Taken(turned, PICTURE, levels_off=JPEG_LEVELS_OFF)


# What compression with loss does to a picture of few colours and hard edges.
JPEG_LEVELS_OFF = 40


def _gifs() -> Iterator[tuple[str, Taken]]:
    *before, frame, trailer = GIF_BLOCKS
    head = GIF_HEAD + b"".join(before)
    control = b"!\xf9\4\0\0\0\0\0"
    files = {
        "without its trailer": head + frame,
        "without the end of its data": head + frame[:-1],
        "without the last byte of its data": head + frame[:-2],
        "with a comment that is cut": head + frame + b"!\xfe\x40cut",
        "followed by what is no block": head + frame + b"<html>",
        "with a block that ends twice": head + frame + b"\0" + trailer,
        "with an unknown extension": head + b"!\x42\1x\0" + frame + trailer,
        "with a wrong background and shape": head[:11] + b"\xfe\x31" + head[13:] + frame + trailer,
        "with a second frame's control": head + frame + control,
        "interlaced, without its trailer": encoded(INDEXED, "GIF", interlace=True)[:-2],
    }
    for name, file in files.items():
        yield f"GIF {name}", Taken(file, INDEXED)


def _runs(picture: Image.Image, *, surplus: int = 0) -> bytes:
    """Return the picture's rows in runs of eight bits, the last of each row longer than the row."""
    parts = []
    for y in reversed(range(picture.height)):
        row = picture.crop((0, y, picture.width, y + 1)).tobytes()
        half = len(row) // 2
        # A row's first half is absolute, padded to an even length, its second one run a pixel.
        parts.append(bytes([0, half]) + row[:half] + bytes(half % 2))
        parts += [bytes([1, index]) for index in row[half:-1]]
        parts.append(bytes([1 + surplus, row[-1], 0, 0]))
    return b"".join(parts)


def _runs_of_nibbles(picture: Image.Image) -> bytes:
    parts = []
    for y in reversed(range(picture.height)):
        row = picture.crop((0, y, picture.width, y + 1)).tobytes() + b"\0"
        packed = bytes(high << 4 | low for high, low in zip(row[::2], row[1::2], strict=True))
        # All but the first four pixels in runs of two, which are cut at the end of the row.
        parts.append(bytes([0, 4]) + packed[:2])
        parts += [bytes([2, pair]) for pair in packed[2:]]
        parts.append(b"\0\0")
    return b"".join(parts)


def _runs_of_colours(picture: Image.Image) -> bytes:
    parts = []
    for y in reversed(range(picture.height)):
        row = picture.crop((0, y, picture.width, y + 1)).tobytes("raw", "BGR")
        parts.append(bytes([0, 3]) + row[:9] + b"\0")
        parts += [b"\1" + row[at : at + 3] for at in range(9, len(row), 3)]
        parts.append(b"\0\0")
    return b"".join(parts)


def _levels(picture: Image.Image, red: int, green: int, blue: int) -> tuple[bytes, Image.Image]:
    """Return the picture in sixteen bits a pixel, and what is left of it."""
    rows, seen = [], Image.new("RGB", picture.size)
    for y in reversed(range(picture.height)):
        row = b""
        for x in range(picture.width):
            number, colour = 0, []
            for sample, bits in zip(picture.getpixel((x, y)), (red, green, blue), strict=True):  # type: ignore[arg-type]
                level = sample >> (8 - bits)
                number = number << bits | level
                colour.append((level * 255 * 2 + (1 << bits) - 1) // (2 * ((1 << bits) - 1)))
            row += struct.pack("<H", number)
            seen.putpixel((x, y), tuple(colour))
        rows.append(row + bytes(-len(row) % 4))
    return b"".join(rows), seen


def _bmps() -> Iterator[tuple[str, Taken]]:
    size, (width, height) = PICTURE.size, PICTURE.size
    of_two = PICTURE.quantize(2)
    palette = bmp_palette(INDEXED, 16)
    wide_palette = bmp_palette(INDEXED, 256)
    short_palette = bmp_palette(INDEXED, 16, entry_bytes=3)
    rows, indices = bmp_rows(PICTURE, 24), bmp_rows(INDEXED, 8)
    top_down = bmp_rows(PICTURE.transpose(Image.Transpose.FLIP_TOP_BOTTOM), 24)
    masks = (0xFF0000, 0xFF00, 0xFF)
    yield from (
        (f"BMP {name}", Taken(bmp.file, picture))
        for name, bmp, picture in [
            ("of OS/2 1", Bmp(size, 24, rows, header_bytes=12), PICTURE),
            (
                "of OS/2 1, indexed",
                Bmp(size, 4, bmp_rows(INDEXED, 4), short_palette, header_bytes=12),
                INDEXED,
            ),
            ("of OS/2 2", Bmp(size, 24, rows, header_bytes=64), PICTURE),
            ("of OS/2 2, indexed", Bmp(size, 4, bmp_rows(INDEXED, 4), palette, header_bytes=64), INDEXED),
            ("of OS/2 2, short", Bmp(size, 24, rows, header_bytes=16), PICTURE),
            ("of OS/2 2 in runs of colours", Bmp(size, 24, _runs_of_colours(PICTURE), b"", 64, 4), PICTURE),
            ("of Windows 4", Bmp(size, 24, rows, header_bytes=108), PICTURE),
            ("of Windows 5", Bmp(size, 24, rows, header_bytes=124), PICTURE),
            ("of no planes", Bmp(size, 24, rows, planes=0), PICTURE),
            ("of seven planes", Bmp(size, 24, rows, planes=7), PICTURE),
            ("of a wrong size", Bmp(size, 24, rows, file_size=1, pixel_bytes=3), PICTURE),
            ("without its last padding", Bmp(size, 24, rows, cut=-3 * width % 4), PICTURE),
            ("from the top", Bmp((width, -height), 24, top_down), PICTURE),
            ("of one bit", Bmp(size, 1, bmp_rows(of_two, 1), bmp_palette(of_two, 2)), of_two),
            ("of four bits", Bmp(size, 4, bmp_rows(INDEXED, 4), palette), INDEXED),
            ("of eight bits, with few colours", Bmp(size, 8, indices, palette, colours=16), INDEXED),
            (
                "of eight bits, with too many colours",
                Bmp(size, 8, indices, wide_palette, colours=999),
                INDEXED,
            ),
            ("of 32 bits", Bmp(size, 32, bmp_rows(PICTURE, 32)), PICTURE),
            (
                "of 32 bits by masks",
                Bmp(size, 32, bmp_rows(PICTURE, 32), struct.pack("<3I", *masks), 40, 3),
                PICTURE,
            ),
            (
                "of 32 bits with room for alpha",
                Bmp(size, 32, bmp_rows(PICTURE, 32), header_bytes=108),
                PICTURE,
            ),
            ("in runs", Bmp(size, 8, _runs(INDEXED) + b"\0\1", wide_palette, compression=1), INDEXED),
            ("in runs without an end", Bmp(size, 8, _runs(INDEXED), wide_palette, compression=1), INDEXED),
            (
                "in runs, cut in the last row's end",
                Bmp(size, 8, _runs(INDEXED), wide_palette, 40, 1, cut=2),
                INDEXED,
            ),
            (
                "in runs that leave their rows",
                Bmp(size, 8, _runs(INDEXED, surplus=3) + b"\0\1", wide_palette, compression=1),
                INDEXED,
            ),
            (
                "in runs of nibbles",
                Bmp(size, 4, _runs_of_nibbles(INDEXED) + b"\0\1", palette, compression=2),
                INDEXED,
            ),
        ]
    )
    pixels, seen = _levels(PICTURE, 5, 5, 5)
    yield "BMP of 16 bits", Taken(Bmp(size, 16, pixels).file, seen)
    pixels, seen = _levels(PICTURE, 5, 6, 5)
    bmp = Bmp(size, 16, pixels, struct.pack("<3I", 0xF800, 0x07E0, 0x1F), compression=3)
    yield "BMP of 16 bits by masks", Taken(bmp.file, seen)


def _webps() -> Iterator[tuple[str, Taken]]:
    for name, file in ("lossy", WEBP), ("lossless", LOSSLESS):
        [(kind, content)] = webp_chunks(file)
        bits = webp_chunk(kind, content)
        header = webp_chunk(b"VP8X", b"\x0c\0\0\0" + (b"\0\0\0").join([b""]) + _sides(PICTURE))
        files = {
            "of a wrong size": webp([bits], size=1 << 30),
            "with metadata that is cut": webp([header, bits, webp_chunk(b"XMP ", bytes(99))])[:-40],
            "with a chunk's name that is cut": webp([header, bits, webp_chunk(b"XMP ", bytes(99))])[:-105],
            "with unknown chunks": webp([header, webp_chunk(b"what", b"x"), bits, webp_chunk(b"ever", b"")]),
            "with damaged metadata": webp(
                [header, webp_chunk(b"ICCP", b"x"), bits, webp_chunk(b"EXIF", b"MM")]
            ),
            "followed by what is no chunk": webp([bits]) + b"<html>",
            "without its padding": webp([kind + struct.pack("<I", len(content)) + content]),
        }
        levels_off = JPEG_LEVELS_OFF if kind == b"VP8 " else 0
        for how, odd in files.items():
            yield f"{name} WebP {how}", Taken(odd, PICTURE, levels_off=levels_off)
        for orientation in range(1, 9):
            turned = encoded(_turned(orientation), "WEBP", lossless=kind == b"VP8L", exif=exif(orientation))
            yield f"{name} WebP of orientation {orientation}", Taken(turned, PICTURE, levels_off=levels_off)


def _sides(picture: Image.Image) -> bytes:
    return b"".join((side - 1).to_bytes(3, "little") for side in picture.size)


TAKEN = {name: taken for cases in (_pngs(), _jpegs(), _gifs(), _bmps(), _webps()) for name, taken in cases}


def _refused() -> Iterator[tuple[str, tuple[bytes, str]]]:
    packed = Png(PICTURE).packed
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 4
    palette = png_chunk(b"PLTE", bytes(INDEXED.getpalette() or []))
    wrong_header = Png(PICTURE).file.replace(png_chunk(b"IHDR", Png(PICTURE).header)[-4:], b"\0\0\0\0", 1)
    missing = zlib.compress(zlib.decompress(packed)[:-1])
    pngs = {
        "cut in its pixels": (Png(PICTURE).file[: -len(packed) // 2], "truncated"),
        "cut in its header": (Png(PICTURE).file[:20], "truncated"),
        "cut before its pixels": (Png(PICTURE).file[:33], "truncated"),
        "cut in its signature": (Png(PICTURE).file[:6], "truncated"),
        "with a damaged pixel": (
            Png(PICTURE, data=[png_chunk(b"IDAT", bytes(flipped), zlib.crc32(b"IDAT" + packed))]).file,
            "damaged: the checksums of its pixels are wrong",
        ),
        "with a damaged header": (wrong_header, "damaged: the checksum of its header is wrong"),
        "with a damaged palette": (
            Png(INDEXED, before=[palette[:-1] + b"\0"]).file,
            "damaged: the checksum of its palette is wrong",
        ),
        "without its palette": (Png(INDEXED).file, "damaged: Missing palette of indexed image"),
        "in a text file's line ends": (
            Png(PICTURE).file.replace(b"\r\n", b"\n"),
            "damaged: its signature is wrong",
        ),
        "of too few pixels": (
            Png(PICTURE, data=[png_chunk(b"IDAT", missing)]).file,
            "damaged: IDAT or fDAT chunk is has not enough data for image",
        ),
    }
    yield from ((f"PNG {name}", (file, f"the PNG is {what}")) for name, (file, what) in pngs.items())
    critical = Png(PICTURE, before=[png_chunk(b"CgBI", bytes(4))]).file
    yield (
        "PNG with a critical chunk",
        (critical, "this kind of PNG can't be decoded: it has the unknown critical chunk CgBI"),
    )

    scan = JPEG.index(b"\xff\xda")
    scans = [at for at in range(len(PROGRESSIVE)) if PROGRESSIVE[at : at + 2] == b"\xff\xda"]
    code = "failed to decode huffman code"
    restart = "no marker found where RST1 was expected"
    jpegs = {
        "cut in its scan": (JPEG[: (scan + len(JPEG)) // 2], "truncated"),
        "cut a byte before its end": (JPEG[:-3], "truncated"),
        "cut in its tables": (JPEG[:scan], "truncated"),
        "cut in its scan, with an end": (JPEG[: (scan + len(JPEG)) // 2] + END, f"damaged: {code}"),
        "progressive, cut before its last scan": (PROGRESSIVE[: scans[-1]], "truncated"),
        "progressive, cut in its last scan": (
            PROGRESSIVE[: (scans[-1] + len(PROGRESSIVE)) // 2],
            "truncated",
        ),
        "progressive, without its tables": (
            _without(PROGRESSIVE, 0xC4),
            "damaged: scan makes use of unset dc huffman table",
        ),
        "cut at a restart, with an end": (
            WITH_RESTARTS[: WITH_RESTARTS.index(b"\xff\xd1")] + END,
            f"damaged: {restart}",
        ),
        "with an unknown marker": (_with(JPEG, b"\xff\x02"), "damaged: it has the unknown marker 02"),
    }
    yield from ((f"JPEG {name}", (file, f"the JPEG is {what}")) for name, (file, what) in jpegs.items())

    *before, frame, trailer = GIF_BLOCKS
    head = GIF_HEAD + b"".join(before)
    gifs = {
        "cut in its pixels": (head + frame[: len(frame) // 2], "is truncated"),
        "cut before its frame": (head, "is truncated"),
        "cut in its colours": (GIF_HEAD[:20], "is truncated"),
        "of too few pixels": (head + frame[:11] + b"\1\x10\0" + trailer, "is truncated"),
        "without a frame": (head + trailer, "has no frame"),
        "with no frame where one should be": (
            head + b"<html>",
            "is damaged: it has an unknown block where a frame should begin",
        ),
    }
    yield from ((f"GIF {name}", (file, f"the GIF {what}")) for name, (file, what) in gifs.items())

    size, rows = PICTURE.size, bmp_rows(PICTURE, 24)
    wide_palette = bmp_palette(INDEXED, 256)
    bmps = {
        "cut in its last row": (Bmp(size, 24, rows, cut=-3 * size[0] % 4 + 1), "the BMP is truncated"),
        "cut in its header": (Bmp(size, 24, b"", cut=10), "the BMP is truncated"),
        "in runs that are cut": (
            Bmp(size, 8, _runs(INDEXED)[:-60], wide_palette, 40, 1),
            "the BMP is truncated",
        ),
        "of a header of no kind": (
            Bmp(size, 24, rows, header_bytes=77),
            "the BMP is damaged: its header has 77 bytes, as no version of BMP has",
        ),
        "with a JPEG in it": (
            Bmp(size, 0, JPEG, compression=4),
            "this kind of BMP can't be decoded: pixels of 0 bits in compression 4",
        ),
        "whose pixels begin in its header": (
            Bmp(size, 24, rows, offset=20),
            "the BMP is damaged: its pixels overlap its header",
        ),
        "that doesn't say where its pixels begin": (
            Bmp(size, 24, rows, offset=0),
            "the BMP is damaged: its pixels overlap its header",
        ),
    }
    yield from ((f"BMP {name}", (bmp.file, what)) for name, (bmp, what) in bmps.items())

    for name, file in ("lossy", WEBP), ("lossless", LOSSLESS):
        yield f"{name} WebP cut in its pixels", (file[: len(file) * 2 // 3], "the WebP is truncated")
        yield f"{name} WebP cut in its header", (file[:22], "the WebP is truncated")
    header = webp_chunk(b"VP8X", b"\0\0\0\0" + _sides(PICTURE))
    yield "WebP without a picture", (webp([header]), "the WebP is damaged: it contains no picture")


REFUSED = dict(_refused())

# Files as they should be, to be cut and damaged.
WHOLE = {
    "PNG": Png(PICTURE).file,
    "interlaced PNG": Png(PICTURE, is_interlaced=True).file,
    "indexed PNG": encoded(INDEXED, "PNG"),
    "JPEG": JPEG,
    "progressive JPEG": PROGRESSIVE,
    "JPEG with restarts": WITH_RESTARTS,
    "GIF": GIF,
    "BMP": encoded(PICTURE, "BMP"),
    "BMP in runs": TAKEN["BMP in runs"].file,
    "WebP": WEBP,
    "lossless WebP": LOSSLESS,
}
