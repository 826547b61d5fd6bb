"""Granted files and folders, from the disk to what a worker is told of them."""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from collections.abc import Iterator
from pathlib import Path

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.model import KIB, MIB, Mount, MountEntry
from wasm_grpc.manifest.units import format_size
from wasm_grpc.manifest.wording import shown

__all__ = ["TreeReader", "read_mount"]

_SIZE_LIMIT_BYTES = 256 * MIB
"""Of all files of one function together: each worker that runs it holds them in memory."""
_ENTRIES_LIMIT = 5_000
_NAMES_LIMIT_BYTES = MIB
"""With the limit above, what the head of a LOAD frame holds, however names are escaped."""
_PIECE_BYTES = 256 * KIB


def read_mount(host: str, guest: str, *, is_writable: bool = False) -> Mount:
    """
    Return a file or folder of this machine as a mount; a file is the one entry of the folder it lies in.

    Raises:
        ConfigError: It can't be had; see `read_mounts`.
    """
    path = Path(host)
    # Not `Path.is_file`, which fails where this user may not look: the reader says so.
    if is_writable and os.path.exists(path) and not os.path.isdir(path):  # noqa: PTH110, PTH112
        raise ConfigError(f"{shown(host)} is a file; expected a folder")
    guest, entries = TreeReader().read(path, host, guest)
    return Mount(guest=guest, entries=tuple(entries), is_writable=is_writable)


class TreeReader:
    """
    Reads trees until a limit is met that all of them share.
    """

    def __init__(self) -> None:
        self._size_bytes = 0
        self._names_bytes = 0
        self._entries = 0

    def read(self, path: Path, shown_path: str, guest: str) -> tuple[str, list[MountEntry]]:
        """
        Return the guest's folder and what is in it: of a file, the folder that it lies in.
        """
        try:
            if path.is_dir():
                return guest, list(self._folder(path, shown_path))
            above, _, name = guest.rpartition("/")
            if not name:
                raise ConfigError(f"{shown(shown_path)} is a file; expected a folder for {shown(guest)}")
            return above or ("/" if guest.startswith("/") else "."), [
                self._entry(path.resolve(), shown_path, name)
            ]
        except OSError as exc:
            raise ConfigError(
                f"{shown(shown_path)} can't be read: {exc.strerror}; expected to read it"
            ) from exc

    def _folder(self, root: Path, shown_root: str) -> Iterator[MountEntry]:
        # What holds an entry comes before it. Not recursive: a tree may be deeper than our stack.
        pending = [""]
        while pending:
            above = pending.pop()
            for name in sorted(entry.name for entry in (root / above).iterdir()):
                path = posixpath.join(above, name)
                entry = self._entry(root / path, posixpath.join(shown_root, path), path)
                yield entry
                if not entry.host and not entry.link:
                    pending.append(path)

    def _entry(self, path: Path, shown_path: str, guest_path: str) -> MountEntry:
        try:
            return self._read_entry(path, shown_path, guest_path, path.lstat())
        except OSError as exc:
            raise ConfigError(
                f"{shown(shown_path)} can't be read: {exc.strerror}; expected to read it"
            ) from exc

    def _read_entry(self, path: Path, shown_path: str, guest_path: str, status: os.stat_result) -> MountEntry:
        link = ""
        host, size, sha256 = "", 0, ""
        if stat.S_ISLNK(status.st_mode):
            link = _link(path, shown_path, guest_path)
        elif stat.S_ISREG(status.st_mode):
            host = os.fspath(path.absolute())
            size, sha256 = self._digest(path, shown_path, status.st_size)
        elif not stat.S_ISDIR(status.st_mode):
            raise ConfigError(f"{shown(shown_path)} is no regular file; expected files, folders and links")
        self._count(guest_path + host + link, shown_path)
        return MountEntry(
            path=guest_path, host=host, size=size, sha256=sha256, link=link, modified_ns=status.st_mtime_ns
        )

    def _digest(self, path: Path, shown_path: str, expected_bytes: int) -> tuple[int, str]:
        self._check_size(self._size_bytes + expected_bytes, shown_path)
        digest = hashlib.sha256()
        before = self._size_bytes
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                self._size_bytes += len(piece)
                self._check_size(self._size_bytes, shown_path)
                digest.update(piece)
        return self._size_bytes - before, digest.hexdigest()

    def _check_size(self, size: int, shown_path: str) -> None:
        if size > _SIZE_LIMIT_BYTES:
            raise ConfigError(
                f"{shown(shown_path)} makes it too large; "
                f"expected at most {format_size(_SIZE_LIMIT_BYTES)} in all granted files"
            )

    def _count(self, names: str, shown_path: str) -> None:
        try:
            self._names_bytes += len(names.encode())
        except UnicodeEncodeError:
            raise ConfigError(f"{shown(shown_path)} is no UTF-8; expected names that are") from None
        self._entries += 1
        if self._entries > _ENTRIES_LIMIT or self._names_bytes > _NAMES_LIMIT_BYTES:
            raise ConfigError(
                f"{shown(shown_path)} is one too many; expected at most {_ENTRIES_LIMIT} files and folders, "
                f"with {format_size(_NAMES_LIMIT_BYTES)} of paths"
            )


def _link(path: Path, shown_path: str, guest_path: str) -> str:
    target = os.fspath(path.readlink())
    led = posixpath.normpath(posixpath.join(posixpath.dirname(guest_path), target))
    if target.startswith("/") or led == ".." or led.startswith("../"):
        raise ConfigError(f"{shown(shown_path)} is a link that leads out; expected links that stay inside")
    return target
