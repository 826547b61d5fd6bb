"""
Read and write the file of one compiled module: a fixed header, and the payload up to the end of the file.

The header, 92 bytes, little-endian, which the names of the imports follow::

    8 magic | u16 format | u16 kind | u32 pages | 32 key | 32 digest | u32 names length | u64 payload length

A payload is native code (kind 1), or the reason why an engine refuses the module, in UTF-8 (kind 2).
"pages" is the initial memory of an instance of native code, in pages of 64 KiB.
The names are those of the host modules that the module imports from, in UTF-8, each with a NUL at its end.
The digest is the SHA-256 of the pages, the names and the payload. It detects damage, not an attack: whoever
can write the file can write a matching digest. So a file that other users can write to is refused.
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
from wasm_grpc.core.model import MIB, PAGE_BYTES

__all__ = [
    "ARTIFACT_FORMAT",
    "ArtifactKind",
    "Entry",
    "code_limit_bytes",
    "pack_entry",
    "read_entry",
    "read_payload",
]

ARTIFACT_FORMAT = 4
"""Increased with every change of the format. It is part of every key."""

_CODE_RATIO = 128
_CODE_BYTES = 32 * MIB
_LONGEST_CODE_BYTES = 1024 * MIB
"""
Limits on native code: so many times its module, and so much more; and of a module of any size.

Programs take 2 to 6 times their module, and modules of calls or empty functions alone up to 54 times.
Wasmtime adds an image of a memory's initial content, of up to 16 MiB for a module of 69 bytes.
"""

_MAGIC = b"WGRPCART"
_HEADER = struct.Struct("<8sHHI32s32sIQ")
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class ArtifactKind(enum.IntEnum):
    """
    Content of a payload.
    """

    NATIVE_CODE = 1
    REFUSAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    The content of one file of the artifact cache.

    Attributes:
        kind: Content of the payload.
        key: SHA-256 of everything that the payload depends on.
        digest: SHA-256 of the pages and the payload, in hex.
        payload: The native code, or the reason why the engine refuses the module.
        minimum_bytes: Initial memory of each instance.
        imports: The host modules that the module imports from.
    """

    kind: ArtifactKind
    key: bytes
    digest: str
    payload: bytes
    minimum_bytes: int = 0
    imports: tuple[str, ...] = ()


def code_limit_bytes(module_bytes: int) -> int:
    """
    Return how long the native code of a module of this size may be, in bytes.
    """
    return min(_CODE_BYTES + _CODE_RATIO * module_bytes, _LONGEST_CODE_BYTES)


def pack_entry(
    kind: ArtifactKind,
    *,
    key: bytes,
    payload: bytes,
    minimum_bytes: int = 0,
    imports: tuple[str, ...] = (),
) -> tuple[bytes, str]:
    """
    Return what stands before the payload in a file, and the file's digest in hex.
    """
    pages = minimum_bytes // PAGE_BYTES
    names = "".join(f"{name}\0" for name in imports).encode()
    digest = _digest(pages, names, payload)
    header = _HEADER.pack(_MAGIC, ARTIFACT_FORMAT, kind, pages, key, digest, len(names), len(payload))
    return header + names, digest.hex()


def read_entry(path: str) -> Entry:
    """
    Read a file of the artifact cache, and check its owner, format, length and digest.

    Raises:
        FileNotFoundError: The file does not exist.
        HostError: The file can't be read, other users can write to it, or its content is wrong.
    """
    try:
        with io.FileIO(path, opener=_open) as file:
            status = os.fstat(file.fileno())
            _check_owner(status)
            header = file.read(_HEADER.size)
            kind, pages, key, digest, names_length, length = _check_header(header)
            # Checked before reading, so that a file which grew to any size is not read into memory.
            whole = _HEADER.size + names_length + length
            if status.st_size != whole:
                raise HostError(f"artifact: has {status.st_size} bytes; expected {whole}")
            names = file.read(names_length)
            payload = file.readall()
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise HostError(f"artifact: can't be read: {exc.strerror}; expected a readable file") from exc
    if _digest(pages, names, payload) != digest:
        raise HostError("artifact: its content is damaged; expected the checksum in its header")
    return Entry(
        kind=kind,
        key=key,
        digest=digest.hex(),
        payload=payload,
        minimum_bytes=pages * PAGE_BYTES,
        imports=tuple(names.decode("utf-8", "replace").split("\0")[:-1]),
    )


def read_payload(path: str, digest: str) -> bytes:
    """
    Read native code for an engine, which trusts it: only the code with this digest is returned.

    Args:
        path: The artifact's file.
        digest: The digest that it must have, in hex, as the server knows it from the compilation.

    Raises:
        HostError: The file is missing, damaged, or has another digest.
    """
    try:
        entry = read_entry(path)
    except FileNotFoundError as exc:
        raise HostError("artifact: the file is missing; expected it to exist while the server runs") from exc
    if entry.kind is not ArtifactKind.NATIVE_CODE or entry.digest != digest:
        raise HostError("artifact: was replaced; expected the native code that the server has compiled")
    return entry.payload


def _digest(pages: int, names: bytes, payload: bytes) -> bytes:
    digest = hashlib.sha256(struct.pack("<II", pages, len(names)))
    digest.update(names)
    digest.update(payload)
    return digest.digest()


def _open(path: str, flags: int) -> int:
    # O_NONBLOCK: opening a named pipe in the file's place would wait for a writer.
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)


def _check_owner(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise HostError("artifact: is not a regular file; expected one")
    if status.st_uid != os.geteuid() or status.st_mode & _WRITABLE_BY_OTHERS:
        raise HostError(
            "artifact: other users can write to it; expected a file that only this user can write"
        )


def _check_header(header: bytes) -> tuple[ArtifactKind, int, bytes, bytes, int, int]:
    if len(header) != _HEADER.size:
        raise HostError(f"artifact: has {len(header)} bytes; expected a header of {_HEADER.size}")
    magic, version, kind, pages, key, digest, names_length, length = _HEADER.unpack(header)
    if magic != _MAGIC or version != ARTIFACT_FORMAT or kind not in list(ArtifactKind):
        raise HostError(f"artifact: has another format; expected format {ARTIFACT_FORMAT}")
    return ArtifactKind(kind), pages, key, digest, names_length, length
