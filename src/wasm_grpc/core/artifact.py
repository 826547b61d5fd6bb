"""
The file that holds one compiled module: a fixed header, then the payload to its end.

The header, 88 bytes, little-endian::

    8 magic | u16 format | u16 kind | u32 pages | 32 key | 32 digest | u64 payload length

A payload is native code (kind 1) or the reason, as UTF-8, why an engine refuses the module (kind 2).
The pages, of 64 KiB, are those of memory that an instance of native code starts with.
The digest, SHA-256 of the pages and the payload, finds damage; that nobody else may write the file is
for the folder's owner to see to.
"""

from __future__ import annotations

import enum
import hashlib
import io
import os
import stat
import struct
from dataclasses import dataclass

from wasm_grpc.core.errors import HostError
from wasm_grpc.core.model import PAGE_BYTES

__all__ = ["ARTIFACT_FORMAT", "ArtifactKind", "Entry", "pack_entry", "read_entry", "read_payload"]

ARTIFACT_FORMAT = 3
"""Raised with every change of the file; a part of every key."""

_MAGIC = b"WGRPCART"
_HEADER = struct.Struct("<8sHHI32s32sQ")
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class ArtifactKind(enum.IntEnum):
    """
    What a payload is.
    """

    NATIVE_CODE = 1
    REFUSAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    One file of the artifact cache, as read.

    Attributes:
        kind: What the payload is.
        key: SHA-256 of all that the payload depends on.
        digest: Of the payload and its minimum, in hex.
        payload: The native code, or the reason of a refusal.
        minimum_bytes: The memory that each instance starts with.
    """

    kind: ArtifactKind
    key: bytes
    digest: str
    payload: bytes
    minimum_bytes: int = 0


def pack_entry(
    kind: ArtifactKind, *, key: bytes, payload: bytes, minimum_bytes: int = 0
) -> tuple[bytes, str]:
    """
    Return a file's header, and its digest in hex.
    """
    pages = minimum_bytes // PAGE_BYTES
    digest = _digest(pages, payload)
    header = _HEADER.pack(_MAGIC, ARTIFACT_FORMAT, kind, pages, key, digest, len(payload))
    return header, digest.hex()


def read_entry(path: str) -> Entry:
    """
    Read a file of the artifact cache and check all that it says of itself.

    Raises:
        FileNotFoundError: There is none.
        HostError: It can't be read, isn't this user's alone, or isn't what its header says.
    """
    try:
        with io.FileIO(path, opener=_open) as file:
            status = os.fstat(file.fileno())
            _check_owner(status)
            header = file.read(_HEADER.size)
            kind, pages, key, digest, length = _check_header(header)
            # Asked before reading, so that a length of our own choosing is never allocated.
            if status.st_size != _HEADER.size + length:
                raise HostError(f"artifact: {status.st_size} bytes; expected {_HEADER.size + length}")
            payload = file.readall()
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise HostError(f"artifact: can't be read: {exc.strerror}; expected a readable file") from exc
    if _digest(pages, payload) != digest:
        raise HostError("artifact: its checksum differs; expected that of its header")
    minimum_bytes = pages * PAGE_BYTES
    return Entry(kind=kind, key=key, digest=digest.hex(), payload=payload, minimum_bytes=minimum_bytes)


def read_payload(path: str, digest: str) -> bytes:
    """
    Read the native code that an engine may load.

    Args:
        path: The artifact's file.
        digest: The one that it must have, in hex, from who compiled it.

    Raises:
        HostError: The file is gone, damaged or another one.
    """
    try:
        entry = read_entry(path)
    except FileNotFoundError as exc:
        raise HostError("artifact: the file is gone; expected it until the server ends") from exc
    if entry.kind is not ArtifactKind.NATIVE_CODE or entry.digest != digest:
        raise HostError("artifact: is another one; expected that with the digest that was asked for")
    return entry.payload


def _digest(pages: int, payload: bytes) -> bytes:
    digest = hashlib.sha256(pages.to_bytes(4, "little"))
    digest.update(payload)
    return digest.digest()


def _open(path: str, flags: int) -> int:
    # O_NONBLOCK: a named pipe in the file's place must not hold us up.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)


def _check_owner(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise HostError("artifact: is no regular file; expected one")
    if status.st_uid != os.geteuid() or status.st_mode & _WRITABLE_BY_OTHERS:
        raise HostError("artifact: others may write it; expected a file of this user alone")


def _check_header(header: bytes) -> tuple[ArtifactKind, int, bytes, bytes, int]:
    if len(header) != _HEADER.size:
        raise HostError("artifact: is truncated; expected a whole header")
    magic, version, kind, pages, key, digest, length = _HEADER.unpack(header)
    if magic != _MAGIC or version != ARTIFACT_FORMAT or kind not in list(ArtifactKind):
        raise HostError(f"artifact: has another format; expected format {ARTIFACT_FORMAT} of this cache")
    return ArtifactKind(kind), pages, key, digest, length
