"""Read the files and models that one function is granted, as they are now."""

from __future__ import annotations

import posixpath
from dataclasses import asdict
from pathlib import Path

from wasm_grpc.catalogue.function import Function, file_below
from wasm_grpc.core.errors import ConfigError, ManifestError, ModelError
from wasm_grpc.core.model import DaprGrants, Grants, Inference, Model, Mount, MountEntry
from wasm_grpc.grants.files import TreeReader
from wasm_grpc.grants.models import read_model
from wasm_grpc.manifest.layout import key_text
from wasm_grpc.manifest.wording import shown

__all__ = ["model_problem", "read_grants", "read_inference", "read_mounts"]


_DAPR = "/dapr"
"""The guest's path of the directory for calls to Dapr, which a function with such grants has."""


def read_grants(function: Function) -> Grants:
    """
    Return everything that a function is granted, as it is now.

    Raises:
        ManifestError: See `read_mounts` and `read_inference`.
    """
    return Grants(
        mounts=read_mounts(function),
        inference=read_inference(function),
        dapr=DaprGrants(**asdict(function.manifest.capabilities.dapr)),
    )


def read_mounts(function: Function) -> tuple[Mount, ...]:
    """
    Return a function's granted files as mounts, as they are now.

    Raises:
        ManifestError: Something can't be granted: it doesn't exist, is unreadable, is not a file or folder,
            exceeds a limit, or a link leads out of the folder.
    """
    reader = TreeReader()
    problems: list[str] = []
    granted: dict[str, list[MountEntry]] = {}
    taken: list[str] = []
    has_dapr = function.manifest.capabilities.dapr.is_granted
    for index, grant in enumerate(function.manifest.capabilities.files):
        key = f"capabilities.files[{index}]"
        if any(_overlap(grant.guest, guest) for guest in taken):
            problem = f"{shown(grant.guest)} is granted twice; expected a path outside every other grant"
            problems.append(function.format_problem(f"{key}.guest: {problem}"))
            continue
        taken.append(grant.guest)
        if has_dapr and _overlap(grant.guest, _DAPR):
            problem = f"{shown(grant.guest)} is where Dapr is; expected a path outside {_DAPR}"
            problems.append(function.format_problem(f"{key}.guest: {problem}"))
            continue
        try:
            target = _below(function.folder, grant.host)
            guest, entries = reader.read(target, grant.host, grant.guest)
        except ConfigError as exc:
            problems.append(function.format_problem(f"{key}.host: {exc}"))
            continue
        there = {entry.path for entry in granted.setdefault(guest, [])}
        for entry in entries:
            if entry.path in there:
                place = posixpath.join(guest, entry.path)
                problem = f"{shown(place)} is granted twice; expected a path outside every other grant"
                problems.append(function.format_problem(f"{key}.guest: {problem}"))
                break
        granted[guest] += entries
    if problems:
        raise ManifestError(problems)
    return tuple(Mount(guest=guest, entries=tuple(entries)) for guest, entries in granted.items())


def read_inference(function: Function) -> Inference:
    """
    Return a function's inference grants, with its models as they are now.

    Raises:
        ManifestError: A model can't be read, or its digest is not the pinned one.
    """
    granted = function.manifest.capabilities.nn
    models: list[Model] = []
    problems: list[str] = []
    for name, wanted in granted.models.items():
        try:
            path = file_below(function.folder, wanted.path)
            model = read_model(name, path, wanted.path, threads=wanted.threads)
        except ConfigError as exc:
            problems.append(function.format_problem(f"{_model_key(name, 'path')}: {exc}"))
            continue
        if wanted.sha256 not in (None, model.sha256):
            problem = f"{shown(wanted.path)} has digest {model.sha256}; expected {wanted.sha256}"
            problems.append(function.format_problem(f"{_model_key(name, 'sha256')}: {problem}"))
        models.append(model)
    if problems:
        raise ManifestError(problems)
    return Inference(models=tuple(models), may_load=granted.load, tensor_types=granted.tensor_types)


def model_problem(function: Function, name: str, error: ModelError) -> str:
    """
    Return the line of a problem for a model that doesn't run.
    """
    path = function.manifest.capabilities.nn.models[name].path
    return function.format_problem(
        f"{_model_key(name, 'path')}: {shown(path)} {error}; expected a model that runs"
    )


def _model_key(name: str, key: str) -> str:
    """
    Return the key of a model in the manifest, for messages.
    """
    return key_text(("capabilities", "nn", "models", name, key))


def _overlap(one: str, other: str) -> bool:
    # With a slash, so that "/model" and "/models" don't overlap.
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _below(folder: Path, name: str) -> Path:
    try:
        target = (folder / name).resolve(strict=True)
    except FileNotFoundError:
        raise ConfigError(
            f"{shown(name)} doesn't exist; expected a file or folder below the function's folder"
        ) from None
    except (OSError, RuntimeError):
        raise ConfigError(f"{shown(name)} can't be reached; expected a file or folder") from None
    if not target.is_relative_to(folder.resolve()):
        raise ConfigError(
            f"{shown(name)} is a link out of the function's folder; expected a file or folder below it"
        )
    return target
