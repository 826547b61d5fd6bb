"""Picture files made by hand, byte for byte: what encoders of the wild write, and what is left of it on the way."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from PIL import Image

__all__ = [
    "Bmp",
    "Png",
    "bmp_palette",
    "bmp_rows",
    "encoded",
    "exif",
    "gif_blocks",
    "jpeg_segments",
    "png_chunk",
    "png_rows",
    "segment",
    "webp",
    "webp_chunk",
    "webp_chunks",
]

ORIENTATION = 0x0112

# Of each pass of Adam7: the first column and row, and the steps.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))

RGB_TYPE = 2


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Return a picture's file, as Pillow writes it."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int) -> bytes:
    """Return Exif that says how the camera was held, without what comes before it in a JPEG."""
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags.tobytes().removeprefix(b"Exif\0\0")


def png_chunk(kind: bytes, content: bytes, checksum: int | None = None) -> bytes:
    """Return a chunk of a PNG, with its own checksum unless it gets another."""
    if checksum is None:
        checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png_rows(picture: Image.Image, *, is_interlaced: bool = False) -> bytes:
    """Return what is packed in a PNG: rows of pixels without a filter."""
    if not is_interlaced:
        size = len(picture.getbands()) * picture.width
        samples = picture.tobytes()
        return b"".join(b"\0" + samples[at : at + size] for at in range(0, len(samples), size))
    parts = []
    for x, y, dx, dy in ADAM7:
        columns, rows = range(x, picture.width, dx), range(y, picture.height, dy)
        for row in rows if columns else ():
            pixels = [picture.crop((column, row, column + 1, row + 1)).tobytes() for column in columns]
            parts.append(b"\0" + b"".join(pixels))
    return b"".join(parts)


@dataclass
class Png:
    """The parts of a PNG of eight bits a sample; `file` puts them together."""

    picture: Image.Image
    before: Sequence[bytes] = ()
    """Chunks between the header and the pixels, the palette's among them."""
    after: Sequence[bytes] = ()
    """Chunks behind the pixels."""
    data: Sequence[bytes] | None = None
    """The pixels' chunks, where they aren't the usual one."""
    end: bytes = field(default_factory=lambda: png_chunk(b"IEND", b""))
    is_interlaced: bool = False

    @property
    def packed(self) -> bytes:
        """The pixels, packed."""
        return zlib.compress(png_rows(self.picture, is_interlaced=self.is_interlaced))

    @property
    def header(self) -> bytes:
        """What the header chunk holds."""
        kind = {"L": 0, "RGB": RGB_TYPE, "P": 3, "LA": 4, "RGBA": 6}[self.picture.mode]
        return struct.pack(">IIBBBBB", *self.picture.size, 8, kind, 0, 0, self.is_interlaced)

    @property
    def file(self) -> bytes:
        """The whole file."""
        data = [png_chunk(b"IDAT", self.packed)] if self.data is None else self.data
        chunks = [png_chunk(b"IHDR", self.header), *self.before, *data, *self.after, self.end]
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def segment(marker: int, content: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg_segments(file: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each marker of a JPEG with its bytes, a scan's data among those of its header."""
    at = 0
    while at < len(file):
        marker, end = file[at + 1], at + 2
        if marker not in (0xD8, 0xD9):
            end += struct.unpack_from(">H", file, end)[0]
        if marker == 0xDA:
            while file[end] != 0xFF or file[end + 1] == 0 or 0xD0 <= file[end + 1] <= 0xD7:
                end += 1
        yield marker, file[at:end]
        at = end


def gif_blocks(file: bytes) -> tuple[bytes, list[bytes]]:
    """Return what comes before a GIF's blocks, and the blocks, the trailer among them."""
    at = 13 + (3 * 2 << (file[10] & 7) if file[10] & 0x80 else 0)
    head, blocks = file[:at], []
    while at < len(file):
        start = at
        if file[at] == 0x3B:
            at += 1
        else:
            at += 2
            if file[start] == 0x2C:
                at = start + 10 + (3 * 2 << (file[start + 9] & 7) if file[start + 9] & 0x80 else 0) + 1
            while file[at]:
                at += file[at] + 1
            at += 1
        blocks.append(file[start:at])
    return head, blocks


def webp_chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a WebP, padded."""
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def webp_chunks(file: bytes) -> list[tuple[bytes, bytes]]:
    """Return the chunks of a WebP: their kinds and what they hold."""
    at, chunks = 12, []
    while at < len(file):
        (length,) = struct.unpack_from("<I", file, at + 4)
        chunks.append((file[at : at + 4], file[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return chunks


def webp(chunks: Iterable[bytes], *, size: int | None = None) -> bytes:
    """Return a WebP of these chunks; it says its own size unless it gets another."""
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content) if size is None else size) + content


def bmp_palette(picture: Image.Image, count: int, entry_bytes: int = 4) -> bytes:
    """Return the first colours of a picture with a palette, as a BMP has them."""
    colours = (picture.getpalette() or [])[: 3 * count]
    colours += [0] * (3 * count - len(colours))
    parts = (bytes(colours[at : at + 3][::-1]) + bytes(entry_bytes - 3) for at in range(0, 3 * count, 3))
    return b"".join(parts)


def bmp_rows(picture: Image.Image, bits: int) -> bytes:
    """Return rows from the bottom, of indices or of blue, green and red with an unused byte where there is room."""
    rows = []
    for y in reversed(range(picture.height)):
        row = picture.crop((0, y, picture.width, y + 1))
        if bits > 8:
            packed = row.tobytes("raw", "BGR" if bits == 24 else "BGRX")
        else:
            number = "".join(f"{index:0{bits}b}" for index in row.tobytes())
            number += "0" * (-len(number) % 8)
            packed = int(number, 2).to_bytes(len(number) // 8, "big")
        rows.append(packed + bytes(-len(packed) % 4))
    return b"".join(rows)


@dataclass
class Bmp:
    """The fields of a BMP; `file` puts them together."""

    size: tuple[int, int]
    bits: int
    pixels: bytes
    palette: bytes = b""
    """Or the masks, where the header has no room for them."""
    header_bytes: int = 40
    compression: int = 0
    planes: int = 1
    colours: int = 0
    masks: tuple[int, ...] = ()
    offset: int | None = None
    file_size: int | None = None
    pixel_bytes: int | None = None
    cut: int = 0
    """So many bytes are missing at the end."""

    @property
    def file(self) -> bytes:
        """The whole file."""
        width, height = self.size
        if self.header_bytes == 12:
            header = struct.pack("<IHHHH", 12, width, height, self.planes, self.bits)
        else:
            pixel_bytes = len(self.pixels) if self.pixel_bytes is None else self.pixel_bytes
            fields = (self.planes, self.bits, self.compression, pixel_bytes, 2835, 2835, self.colours, 0)
            header = struct.pack("<IiiHHIIiiII", self.header_bytes, width, height, *fields)
            header += struct.pack(f"<{len(self.masks)}I", *self.masks)
            header = header[: self.header_bytes].ljust(self.header_bytes, b"\0")
        offset = 14 + len(header) + len(self.palette) if self.offset is None else self.offset
        size = 14 + len(header) + len(self.palette) + len(self.pixels)
        size = size if self.file_size is None else self.file_size
        file = struct.pack("<2sIHHI", b"BM", size, 0, 0, offset) + header + self.palette + self.pixels
        return file[: len(file) - self.cut]
