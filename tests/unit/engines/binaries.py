"""Small core binaries, put together by hand so that they can be wrong in one place."""

from __future__ import annotations

from wasm_grpc.engines.binary.cursor import encode_u32

__all__ = ["HEADER", "limits", "module", "name", "section", "vector"]

HEADER = b"\0asm\x01\0\0\0"


def vector(*entries: bytes) -> bytes:
    """Return a vector of entries."""
    return encode_u32(len(entries)) + b"".join(entries)


def section(number: int, content: bytes) -> bytes:
    """Return one section."""
    return bytes([number]) + encode_u32(len(content)) + content


def name(text: str) -> bytes:
    """Return a name."""
    return encode_u32(len(text.encode())) + text.encode()


def limits(minimum: int, maximum: int | None = None) -> bytes:
    """Return the limits of a memory or table."""
    if maximum is None:
        return b"\0" + encode_u32(minimum)
    return b"\x01" + encode_u32(minimum) + encode_u32(maximum)


def module(*sections: tuple[int, bytes]) -> bytes:
    """Return a module of sections, each a number and a content."""
    return HEADER + b"".join(section(number, content) for number, content in sections)
