"""A function on disk: its folder, its manifest and its module."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wasm_grpc.core.errors import ConfigError, ManifestError
from wasm_grpc.core.model import MIB, GuestKind
from wasm_grpc.manifest.layout import MANIFEST_NAME, REMOTE_SCHEMES
from wasm_grpc.manifest.tables import FunctionManifest, Secret
from wasm_grpc.manifest.triggers import Trigger
from wasm_grpc.manifest.units import format_size

__all__ = ["Function", "file_below", "read_module"]

_MODULE_LIMIT_BYTES = 256 * MIB
"""More than an engine can compile within the limits of the compile process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """
    One function that is served.

    Attributes:
        folder: The folder that holds its manifest.
        manifest: The parsed manifest.
    """

    folder: Path
    manifest: FunctionManifest

    @property
    def name(self) -> str:
        """
        The function's name.
        """
        return self.manifest.name

    @property
    def is_remote(self) -> bool:
        """
        Whether the module is a URL and not a file in the folder.
        """
        return self.manifest.module.startswith(REMOTE_SCHEMES)

    @property
    def has_outputs(self) -> bool:
        """
        Whether a trigger sends its result on (``then``), so that the function needs a sidecar.
        """
        return any(trigger.then for _, _, trigger in self.manifest.trigger.each())

    @property
    def secrets(self) -> Mapping[str, Secret]:
        """
        The environment variables that are read from secrets at the start of the server.
        """
        return {name: value for name, value in self.manifest.env.items() if isinstance(value, Secret)}

    def operation(self, trigger: Trigger | None, name: str = "") -> str:
        """
        Return the operation or export that a call of the function runs; "" if its guest has only one.

        Args:
            trigger: The trigger that leads to it; None for one from ``--route``.
            name: What the call is named by: the method, or the part of it that a pattern fixes. If there is
                none, the function's name stands in.
        """
        if self.manifest.guest is GuestKind.WASI_COMMAND:
            return ""
        return (trigger.call if trigger else None) or name or self.name

    def format_problem(self, problem: str) -> str:
        """
        Return the whole line of a problem: ``<folder>/function.toml: <key>: <problem>``.
        """
        return f"{self.folder.name}/{MANIFEST_NAME}: {problem}"


def file_below(folder: Path, name: str) -> Path:
    """
    Find a file that a manifest names. The manifest's checks have already refused "..".

    Raises:
        ConfigError: It doesn't exist, is not a regular file, or is a link out of the folder.
    """
    path = folder / name
    try:
        # Resolved first, so that a link can't lead out of the folder.
        target = path.resolve(strict=True)
    except FileNotFoundError:
        raise ConfigError(f"no file {name!r}; expected it below the function's folder") from None
    # RuntimeError: a loop of links, up to CPython 3.12.
    except (OSError, RuntimeError):
        raise ConfigError(f"{name!r} can't be reached; expected a file below the function's folder") from None
    if not target.is_relative_to(folder.resolve()):
        raise ConfigError(f"{name!r} is a link out of the function's folder; expected a file below it")
    if target.is_dir():
        raise ConfigError(f"{name!r} is a folder; expected a file")
    if not target.is_file():
        raise ConfigError(f"{name!r} is not a regular file; expected one")
    return target


def read_module(function: Function) -> bytes:
    """
    Read the module file of a function, and check its pinned digest.

    Raises:
        ManifestError: The file can't be read, or its digest is not the pinned one.
    """
    manifest = function.manifest
    try:
        wasm = _read(file_below(function.folder, manifest.module), manifest.module)
    except ConfigError as exc:
        raise ManifestError([function.format_problem(f"module: {exc}")]) from exc
    digest = hashlib.sha256(wasm).hexdigest()
    if manifest.sha256 is not None and digest != manifest.sha256:
        problem = f"sha256: {manifest.module!r} has digest {digest}; expected {manifest.sha256}"
        raise ManifestError([function.format_problem(problem)])
    return wasm


def _read(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            # One byte more than allowed shows that a file is too large, whatever its size.
            wasm = file.read(_MODULE_LIMIT_BYTES + 1)
    except OSError as exc:
        raise ConfigError(f"{name!r} can't be read: {exc.strerror}; expected a readable file") from exc
    if len(wasm) > _MODULE_LIMIT_BYTES:
        raise ConfigError(f"{name!r} is too large; expected at most {format_size(_MODULE_LIMIT_BYTES)}")
    return wasm
