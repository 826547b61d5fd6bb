"""
One folder of compiled modules: written once, read often, evicted by last use.

Theory of operation. An entry's file name is its key, and the key covers everything that the native
code depends on, so an entry is never stale. The first writer of an entry wins: a second server that
compiled the same module uses the existing entry. The reason is that a worker started later must find
exactly the bytes whose digest its server sent it. A damaged, foreign or truncated file counts as
missing, and the next `put` replaces it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wasm_grpc.core.artifact import ArtifactKind, Entry, pack_entry, read_entry
from wasm_grpc.core.errors import HostError
from wasm_grpc.core.model import MIB

__all__ = ["Artifact", "ArtifactFolder", "Refusal"]

_log = logging.getLogger(__name__)

_SUFFIX = ".artifact"
_TEMPORARY = ".writing-"
_ABANDONED_S = 3600.0
"""Age at which a temporary file is considered abandoned by its writer."""

_SIZE_LIMIT_BYTES = 1024 * MIB
"""Total size above which old entries are evicted; enough for hundreds of modules."""

_NOT_SERVED_S = 7 * 24 * 3600.0
"""Entries used more recently are never evicted, since a running server may need them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """
    Native code that a worker may load.

    Attributes:
        path: The file; `core.artifact.read_payload` reads it.
        digest: Digest of the file, in hex; see `core.artifact`.
        size_bytes: Size of the native code.
        minimum_bytes: The linear memory that each instance starts with.
        imports: The host modules that the module imports from.
    """

    path: str
    digest: str
    size_bytes: int
    minimum_bytes: int = 0
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """
    A record that the engine refused the module, and would again.

    Attributes:
        message: The engine's message.
    """

    message: str


class ArtifactFolder:
    """
    A folder that only this user can access.

    Safe to share between processes, and to call from any thread.
    """

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        """
        Create the folder if it doesn't exist, and make it private to this user.

        Raises:
            HostError: It can't be created, or it, or the link in its place, belongs to another user.
        """
        # Absolute, since workers open its files from another working directory.
        folder = folder.absolute()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A link of another user's could lead to any folder of this user's, to be closed and filled here.
            is_own = {folder.lstat().st_uid, folder.stat().st_uid} == {os.geteuid()}
            if is_own and stat.S_IMODE(folder.stat().st_mode) != stat.S_IRWXU:
                folder.chmod(stat.S_IRWXU)
        except OSError as exc:
            raise HostError(f"artifact cache {folder}: {exc.strerror}; expected a writable folder") from exc
        if not is_own:
            raise HostError(
                f"artifact cache {folder}: belongs to another user; expected a folder of this user"
            )
        self._folder = folder

    def get(self, key: bytes) -> Artifact | Refusal | None:
        """
        Return what is stored under a key. Log a warning and return None if it is damaged or foreign.
        """
        path = self._path(key)
        try:
            entry = _read(path, key)
        except FileNotFoundError:
            return None
        except HostError as exc:
            _log.warning("%s (%s); the module is compiled again", exc, path.name)
            return None
        # Mark the entry as used, for `_clean`.
        with contextlib.suppress(OSError):
            os.utime(path)
        if entry.kind is ArtifactKind.REFUSAL:
            return Refusal(message=entry.payload.decode("utf-8", "replace"))
        return Artifact(
            path=str(path),
            digest=entry.digest,
            size_bytes=len(entry.payload),
            minimum_bytes=entry.minimum_bytes,
            imports=entry.imports,
        )

    def put(
        self, key: bytes, payload: bytes, *, minimum_bytes: int = 0, imports: tuple[str, ...] = ()
    ) -> Artifact:
        """
        Store native code. Return the stored artifact: this one, or one that another server stored first.

        Args:
            key: See `artifact_key`.
            payload: The native code.
            minimum_bytes: The linear memory that each instance starts with.
            imports: The host modules that the module imports from.

        Raises:
            HostError: The folder can't be written.
        """
        found, digest = self._store(key, ArtifactKind.NATIVE_CODE, payload, minimum_bytes, imports)
        return found or Artifact(
            path=str(self._path(key)),
            digest=digest,
            size_bytes=len(payload),
            minimum_bytes=minimum_bytes,
            imports=imports,
        )

    def put_refusal(self, key: bytes, message: str) -> None:
        """
        Remember that the engine refuses the module.

        Raises:
            HostError: The folder can't be written.
        """
        self._store(key, ArtifactKind.REFUSAL, message.encode("utf-8", "replace"))

    def usage(self) -> tuple[int, int]:
        """
        Return the number of entries and their total size in bytes.
        """
        sizes = []
        with contextlib.suppress(OSError):
            sizes += [path.lstat().st_size for path in self._folder.iterdir() if path.name.endswith(_SUFFIX)]
        return len(sizes), sum(sizes)

    def _store(
        self,
        key: bytes,
        kind: ArtifactKind,
        payload: bytes,
        minimum_bytes: int = 0,
        imports: tuple[str, ...] = (),
    ) -> tuple[Artifact | None, str]:
        try:
            header, digest = pack_entry(
                kind, key=key, payload=payload, minimum_bytes=minimum_bytes, imports=imports
            )
            with self._temporary(header, payload) as temporary:
                found = self._publish(temporary, key)
            # The folder too, which holds the new name.
            self._sync()
        except OSError as exc:
            raise HostError(
                f"artifact cache {self._folder}: {exc.strerror}; expected room for {len(payload)} bytes"
            ) from exc
        self._clean()
        return found, digest

    def _path(self, key: bytes) -> Path:
        return self._folder / f"{key.hex()}{_SUFFIX}"

    @contextlib.contextmanager
    def _temporary(self, header: bytes, payload: bytes) -> Iterator[Path]:
        handle, name = tempfile.mkstemp(prefix=_TEMPORARY, dir=self._folder)
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(header)
                file.write(payload)
                file.flush()
                # On disk before it gets its name, so that a crash can't leave a truncated entry.
                os.fsync(file.fileno())
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _publish(self, temporary: Path, key: bytes) -> Artifact | None:
        """
        Give a written file its final name. If a valid artifact already has that name, return it instead.
        """
        path = self._path(key)
        try:
            # A link, not a rename: it never replaces what another server has published in the meantime.
            os.link(temporary, path)
        except FileExistsError:
            found = self.get(key)
            if isinstance(found, Artifact):
                return found
            temporary.replace(path)
        except OSError:
            # The file system has no hard links.
            temporary.replace(path)
        return None

    def _sync(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _clean(self) -> None:
        """
        Remove abandoned temporary files, and evict the least recently used entries above the size limit.
        """
        now = time.time()
        entries: list[tuple[float, int, Path]] = []
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                status = path.lstat()
                if path.name.startswith(_TEMPORARY) and now - status.st_mtime > _ABANDONED_S:
                    path.unlink(missing_ok=True)
                elif path.name.endswith(_SUFFIX):
                    entries.append((status.st_mtime, status.st_size, path))
            size = sum(entry_size for _, entry_size, _ in entries)
            # `get` touches an entry, so the modification time is that of the last use.
            for used_at, entry_size, path in sorted(entries):
                if size <= _SIZE_LIMIT_BYTES or now - used_at < _NOT_SERVED_S:
                    break
                path.unlink(missing_ok=True)
                size -= entry_size


def _read(path: Path, key: bytes) -> Entry:
    entry = read_entry(str(path))
    if entry.key != key:
        raise HostError("artifact: has another key; expected the key in its file name")
    return entry
