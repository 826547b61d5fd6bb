"""The secrets of manifests' environments, read through the sidecar before any worker starts."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import resource
from collections.abc import Mapping, Sequence

from wasm_grpc.app.connection import Connection, open_connection
from wasm_grpc.catalogue.folder import by_folder
from wasm_grpc.catalogue.function import Function
from wasm_grpc.core.errors import ConfigError, ManifestError, SidecarError
from wasm_grpc.core.model import KIB
from wasm_grpc.core.settings import Settings
from wasm_grpc.dapr.secrets import entry_of, read_secret
from wasm_grpc.dapr.sidecar import Sidecar
from wasm_grpc.manifest.tables import Secret
from wasm_grpc.pool.functions import PoolFunction

__all__ = ["with_secrets"]

_log = logging.getLogger("wasm_grpc.app")

_LIMIT_CHARACTERS = 128 * KIB
"""As much as Linux takes for one variable of a program (``MAX_ARG_STRLEN``)."""


async def with_secrets(
    functions: Sequence[Function],
    prepared: Sequence[PoolFunction],
    settings: Settings,
) -> tuple[PoolFunction, ...]:
    """
    Return the prepared functions with the secrets of their manifests in their environments.

    From now on, this process leaves no core file if it crashes.

    Args:
        functions: What is served.
        prepared: The same functions, in the same order.
        settings: Name the sidecar, and how long to wait for it.

    Raises:
        ManifestError: Secrets can't be read, each with its file, variable and name.
        SidecarError: The sidecar can't be reached.
    """
    _leave_no_core_file()
    async with open_connection(settings) as connection:
        entries = await _read(functions, connection, settings)
    problems: list[str] = []
    result = []
    for function, each in zip(functions, prepared, strict=True):
        values: dict[str, str] = {}
        for variable, secret in function.secrets.items():
            try:
                values[variable] = _value(entries[secret.secret], secret)
            except ConfigError as exc:
                problems.append(function.format_problem(f"env.{variable}: secret {secret.secret!r} {exc}"))
        result.append(_with_environment(each, function, values))
        if values:
            _log.info("function '%s' has secrets in its environment: %s", function.name, ", ".join(values))
    if problems:
        raise ManifestError(by_folder(problems))
    return tuple(result)


def _leave_no_core_file() -> None:
    """
    Keep a crash from writing the secrets to disk. Workers never leave one; see `confine`.

    Only the soft limit: who debugs a server can raise it again (``prlimit --core=unlimited --pid PID``).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


async def _read(
    functions: Sequence[Function], connection: Connection, settings: Settings
) -> Mapping[str, Mapping[str, str] | SidecarError]:
    """
    Read each secret once; return its entries, or why there are none.
    """
    if connection.sidecar is None:
        raise ManifestError(
            [
                function.format_problem(
                    f"env.{variable}: secret {secret.secret!r} can't be read without a sidecar; "
                    "expected its address in DAPR_GRPC_ENDPOINT or DAPR_GRPC_PORT"
                )
                for function in functions
                for variable, secret in function.secrets.items()
            ]
        )
    await connection.wait()
    names = {secret.secret: secret for function in functions for secret in function.secrets.values()}
    found = await asyncio.gather(
        *(_try(connection.sidecar, secret, settings.sidecar_wait_s) for secret in names.values())
    )
    return dict(zip(names, found, strict=True))


async def _try(sidecar: Sidecar, secret: Secret, wait_s: float) -> Mapping[str, str] | SidecarError:
    try:
        return await read_secret(sidecar, secret.store, secret.name, wait_s=wait_s)
    except SidecarError as exc:
        return SidecarError(f"{exc}; expected one that the sidecar can read")


def _value(entries: Mapping[str, str] | SidecarError, secret: Secret) -> str:
    if isinstance(entries, SidecarError):
        raise entries
    value = entry_of(entries, secret.key)
    if "\0" in value:
        raise ConfigError("has a NUL character; expected text without it")
    if len(value) > _LIMIT_CHARACTERS:
        raise ConfigError(f"has {len(value)} characters; expected at most {_LIMIT_CHARACTERS}")
    return value


def _with_environment(prepared: PoolFunction, function: Function, secrets: Mapping[str, str]) -> PoolFunction:
    env = tuple(
        (name, value if isinstance(value, str) else secrets[name])
        for name, value in function.manifest.env.items()
        if isinstance(value, str) or name in secrets
    )
    return dataclasses.replace(prepared, function=dataclasses.replace(prepared.function, env=env))
