"""The artifact cache of a server: its keys, its folder, and a temporary folder if that can't be used."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from wasm_grpc.artifacts.folder import Artifact, ArtifactFolder, Refusal
from wasm_grpc.core.artifact import ARTIFACT_FORMAT
from wasm_grpc.core.errors import HostError

__all__ = ["Artifact", "ArtifactCache", "Refusal", "artifact_key", "default_cache_folder"]

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


def default_cache_folder(environ: Mapping[str, str]) -> Path | None:
    """
    Return ``$XDG_CACHE_HOME/wasm-grpc``, by default ``~/.cache/wasm-grpc``; None if the user has no home.

    Source: XDG Base Directory Specification 0.8, by which relative paths are ignored.
    """
    cache_home = environ.get("XDG_CACHE_HOME", "")
    if cache_home.startswith("/"):
        return Path(cache_home, "wasm-grpc")
    try:
        return Path(environ.get("HOME") or Path.home(), ".cache", "wasm-grpc")
    except RuntimeError:
        return None


def artifact_key(
    wasm: bytes, *, engine: str, version: str, target: str, settings: Mapping[str, str | int | bool | None]
) -> bytes:
    """
    Return the key of a compiled module: the SHA-256 of everything that the native code depends on.

    Args:
        wasm: The module as its author wrote it.
        engine: The engine's name.
        version: The engine's version.
        target: Instruction set and CPU features.
        settings: Everything else that changes the result: limits written into the module, flags.
    """
    # Sorted keys: the same settings always give the same key.
    rest = json.dumps([ARTIFACT_FORMAT, engine, version, target, settings], sort_keys=True).encode()
    return hashlib.sha256(hashlib.sha256(wasm).digest() + rest).digest()


class ArtifactCache:
    """
    The cache folder or, if it can't be used, a private temporary one that `close` removes.

    Safe to call from any thread, but not on an event loop, since it waits for the disk. Use it as a
    context manager, or `close` it.
    """

    __slots__ = ("_folder", "_lock", "_private", "_temporary")

    def __init__(self, folder: Path | None) -> None:
        """
        Open the cache in `folder`. If that fails, log a warning and use a temporary folder.
        """
        self._lock = threading.Lock()
        self._private: ArtifactFolder | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._folder: ArtifactFolder | None = None
        if folder is None:
            _warn("artifact cache: this user has no home folder; expected XDG_CACHE_HOME or HOME")
            return
        try:
            self._folder = ArtifactFolder(folder)
        except HostError as exc:
            _warn(str(exc))

    def __enter__(self) -> ArtifactCache:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def is_kept(self) -> bool:
        """
        Whether everything that was stored outlives this run; False once the temporary folder was used.
        """
        return self._folder is not None and self._private is None

    def get(self, key: bytes) -> Artifact | Refusal | None:
        """
        Return what is stored under a key. A damaged or foreign file counts as missing.
        """
        found = None if self._folder is None else self._folder.get(key)
        if found is None and self._private is not None:
            found = self._private.get(key)
        return found

    def put(
        self, key: bytes, payload: bytes, *, minimum_bytes: int = 0, imports: tuple[str, ...] = ()
    ) -> Artifact:
        """
        Store native code, and return the artifact to load from now on.

        Args:
            key: See `artifact_key`.
            payload: The native code.
            minimum_bytes: The linear memory that each instance starts with.
            imports: The host modules that the module imports from.

        Raises:
            HostError: Neither the folder nor the temporary one can be written.
        """
        return self._write(
            lambda folder: folder.put(key, payload, minimum_bytes=minimum_bytes, imports=imports)
        )

    def put_refusal(self, key: bytes, message: str) -> None:
        """
        Record that the engine refuses the module.

        Raises:
            HostError: As `put`.
        """
        self._write(lambda folder: folder.put_refusal(key, message))

    def close(self) -> None:
        """
        Remove the temporary folder. Start no worker afterwards.
        """
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = self._private = None

    def _write(self, write: Callable[[ArtifactFolder], _T]) -> _T:
        if self._folder is not None and self._private is None:
            try:
                return write(self._folder)
            except HostError as exc:
                _warn(str(exc))
        return write(self._private_folder())

    def _private_folder(self) -> ArtifactFolder:
        # Several threads may store modules, but must share one temporary folder.
        with self._lock:
            if self._private is None:
                self._temporary = _temporary_folder()
                self._private = ArtifactFolder(Path(self._temporary.name))
            return self._private


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="wasm-grpc-")
    except OSError as exc:
        raise HostError(
            f"temporary folder: {exc.strerror}; expected a writable one for compiled modules"
        ) from exc


def _warn(problem: str) -> None:
    _log.warning("%s; compiled modules are kept for this run only", problem)
