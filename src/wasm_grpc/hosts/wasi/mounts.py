"""The directories that are open when a guest starts: read once per worker, opened for each invocation."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Sequence

from wasm_grpc.core.errors import HostError
from wasm_grpc.core.model import Mount, MountEntry
from wasm_grpc.hosts.wasi.abi import FILE_RIGHTS, FOLDER_RIGHTS
from wasm_grpc.hosts.wasi.nodes import Node, OpenFolder
from wasm_grpc.hosts.wasi.regular import File
from wasm_grpc.hosts.wasi.streams import Sink, in_binary_units
from wasm_grpc.hosts.wasi.tree import Folder, Link
from wasm_grpc.hosts.wasi.volume import Volume

__all__ = ["SCRATCH", "FileSystem"]

SCRATCH = "/tmp"  # noqa: S108 - the guest's, in memory
"""The guest's path of its scratch folder."""

_SCRATCH_DEVICE = 1


class FileSystem:
    """
    The files that one function can access.

    All invocations share one tree of each read-only mount, so another invocation costs no memory.
    """

    __slots__ = ("_mounts", "_scratch_bytes")

    def __init__(self, mounts: Sequence[Mount], *, scratch_bytes: int) -> None:
        """
        Read the files of the mounts into memory.

        Args:
            mounts: The mounts, checked by the server.
            scratch_bytes: Limit on each writable folder in one invocation.

        Raises:
            HostError: A file has changed since the server checked it.
        """
        self._scratch_bytes = scratch_bytes
        self._mounts = [_ReadMount(mount, device) for device, mount in enumerate(mounts, _SCRATCH_DEVICE + 1)]

    def preopens(self, log: Sink | None = None) -> Iterator[OpenFolder]:
        """
        Yield the open directories of one invocation: the mounts in their order, then the scratch folder.

        There is no scratch folder if its limit is 0.

        Args:
            log: Gets a line when a writable folder is full for the first time.
        """
        wants_scratch = bool(self._scratch_bytes)
        for mount in self._mounts:
            wants_scratch = wants_scratch and mount.name != SCRATCH
            yield mount.open(self._scratch_bytes, log)
        if wants_scratch:
            volume = _scratch_volume(_SCRATCH_DEVICE, SCRATCH, self._scratch_bytes, log)
            yield _opened(volume, Folder(volume), SCRATCH.encode())


class _ReadMount:
    __slots__ = ("_device", "_root", "_volume", "name")

    def __init__(self, mount: Mount, device: int) -> None:
        self.name = mount.guest
        self._device = device
        self._volume = Volume(device, is_writable=mount.is_writable)
        self._root = Folder(self._volume)
        folders = {"": self._root}
        for entry in mount.entries:
            above, _, name = entry.path.rpartition("/")
            node = _read(self._volume, mount.guest, entry)
            # Parents come before their entries in `mount.entries`.
            folders[above].entries[name.encode()] = node
            if isinstance(node, Folder):
                folders[entry.path] = node

    def open(self, scratch_bytes: int, log: Sink | None) -> OpenFolder:
        volume, root = self._volume, self._root
        if volume.is_writable:
            volume = _scratch_volume(self._device, self.name, scratch_bytes, log)
            root = root.copy(volume)
        return _opened(volume, root, self.name.encode())


def _scratch_volume(device: int, name: str, room_bytes: int, log: Sink | None) -> Volume:
    on_full = None if log is None else functools.partial(_say_full, log, name, room_bytes)
    return Volume(device, is_writable=True, room_bytes=room_bytes, on_full=on_full)


def _say_full(log: Sink, name: str, limit_bytes: int) -> None:
    line = (
        f"{name}: no room for more; expected at most {in_binary_units(limit_bytes)} "
        "(limits.scratch; for `run`: --scratch-limit)\n"
    )
    log.write(memoryview(line.encode()))


def _opened(volume: Volume, root: Folder, name: bytes) -> OpenFolder:
    return OpenFolder(volume, root, rights=FOLDER_RIGHTS, inheriting=FOLDER_RIGHTS | FILE_RIGHTS, name=name)


def _read(volume: Volume, guest: str, entry: MountEntry) -> Node:
    if entry.link:
        return Link(volume, entry.link.encode(), entry.modified_ns)
    if not entry.host:
        return Folder(volume, entry.modified_ns)
    return File(volume, _content(f"{guest}/{entry.path}", entry), entry.modified_ns)


def _content(where: str, entry: MountEntry) -> bytes:
    # Read, not mapped: if a mapped file is truncated later, touching the mapping kills the process.
    try:
        # Non-blocking, since the file may have been replaced by a pipe.
        with os.fdopen(os.open(entry.host, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            content = file.read(entry.size + 1)
    except PermissionError as exc:
        # Landlock lets a worker open the file that was there, and none that has taken its place.
        raise _changed(where) from exc
    except OSError as exc:
        raise HostError(
            f"file {where!r}: can't be read: {exc.strerror}; expected the file as it was at the start"
        ) from exc
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise _changed(where)
    return content


def _changed(where: str) -> HostError:
    return HostError(f"file {where!r}: changed since the start; expected the file as it was at the start")
