"""Read granted files and folders into mounts, which the server sends to workers."""

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
"""Limit on all files of one function together, since each worker that runs it holds them in memory."""
_ENTRIES_LIMIT = 5_000
_NAMES_LIMIT_BYTES = MIB
"""Together with the limit above this fits in the head of a LOAD frame, however names are escaped."""
_PIECE_BYTES = 256 * KIB


def read_mount(host: str, guest: str, *, is_writable: bool = False) -> Mount:
    """
    Return a file or folder of this machine as a mount. A file is the only entry of its folder's mount.

    Raises:
        ConfigError: It can't be granted; see `read_mounts`.
    """
    path = Path(host)
    # Not `Path.is_file`, which raises if this user may not look there. The reader below reports that.
    if is_writable and os.path.exists(path) and not os.path.isdir(path):  # noqa: PTH110, PTH112
        raise ConfigError(f"{shown(host)} is a file; expected a folder")
    guest, entries = TreeReader().read(path, host, guest)
    return Mount(guest=guest, entries=tuple(entries), is_writable=is_writable)


class TreeReader:
    """
    Reads trees of files. The limits hold for all trees of one reader together.
    """

    def __init__(self) -> None:
        self._size_bytes = 0
        self._names_bytes = 0
        self._entries = 0

    def read(self, path: Path, shown_path: str, guest: str) -> tuple[str, list[MountEntry]]:
        """
        Return the guest's folder and its entries. For a file this is its parent folder.
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
                f"{shown(shown_path)} can't be read: {exc.strerror}; expected a readable file or folder"
            ) from exc

    def _folder(self, root: Path, shown_root: str) -> Iterator[MountEntry]:
        # A folder comes before its entries. Not recursive, since a tree may be deeper than Python's stack.
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
                f"{shown(shown_path)} can't be read: {exc.strerror}; expected a readable file or folder"
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
            raise ConfigError(f"{shown(shown_path)} is not a regular file; expected files, folders and links")
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
                f"{shown(shown_path)} exceeds the limit; "
                f"expected at most {format_size(_SIZE_LIMIT_BYTES)} in all granted files"
            )

    def _count(self, names: str, shown_path: str) -> None:
        try:
            self._names_bytes += len(names.encode())
        except UnicodeEncodeError:
            raise ConfigError(f"{shown(shown_path)} is not valid UTF-8; expected a name in UTF-8") from None
        self._entries += 1
        if self._entries > _ENTRIES_LIMIT or self._names_bytes > _NAMES_LIMIT_BYTES:
            raise ConfigError(
                f"{shown(shown_path)} exceeds the limit; "
                f"expected at most {_ENTRIES_LIMIT} files and folders, "
                f"with {format_size(_NAMES_LIMIT_BYTES)} of paths"
            )


def _link(path: Path, shown_path: str, guest_path: str) -> str:
    target = os.fspath(path.readlink())
    led = posixpath.normpath(posixpath.join(posixpath.dirname(guest_path), target))
    if target.startswith("/") or led == ".." or led.startswith("../"):
        raise ConfigError(f"{shown(shown_path)} is a link out of the folder; expected links inside")
    return target
