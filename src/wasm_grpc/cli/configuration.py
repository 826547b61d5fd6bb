"""Read the settings, in this order of precedence: flags, ``WASM_GRPC_*`` variables, TOML file, defaults."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.secrecy import forget_variables, hide_memory
from wasm_grpc.core.settings import Settings, make_settings
from wasm_grpc.core.toml_file import read_toml
from wasm_grpc.dapr.endpoint import endpoint_from
from wasm_grpc.manifest.wording import closest

__all__ = ["CONFIG_VARIABLE", "hide_secrets", "read_settings"]

CONFIG_VARIABLE = "WASM_GRPC_CONFIG"
"""Variable with the path of a TOML file of settings. By default no file is read."""

_log = logging.getLogger("wasm_grpc.cli")

_PREFIX = "WASM_GRPC_"
_OTHER_VARIABLES = (CONFIG_VARIABLE, "WASM_GRPC_DEBUG", "WASM_GRPC_LOG")
"""Variables that are not settings of a server."""
_SERVICE_VARIABLES = re.compile(
    r"WASM_GRPC_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://.*")
"""Kubernetes sets such variables in each pod for a Service named wasm-grpc. ``WASM_GRPC_PORT`` then has an
address."""
_DAPR_VARIABLES = {
    "APP_PORT": "port",
    "APP_API_TOKEN": "app_api_token",
    "APP_ID": "app_id",
    "DAPR_API_TOKEN": "dapr_api_token",
}
"""Variables that ``dapr run`` sets, and Dapr's injector on Kubernetes."""
_SECRETS = ("APP_API_TOKEN", "DAPR_API_TOKEN")
"""Those of them, and settings of the same names, that nobody but this process should know."""
_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True)
class _Kind:
    """
    A type of setting.

    Attributes:
        expected: What an error message says was expected.
        from_text: Parses the value of an environment variable. Raises ValueError if it is invalid.
        from_toml: Converts the value from a file. Returns None if it is invalid.
    """

    expected: str
    from_text: Callable[[str], object]
    from_toml: Callable[[object], object]


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ValueError(text)
    return _BOOLEANS[text.lower()]


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _only(kind: type) -> Callable[[object], object]:
    # Not `isinstance`, which accepts True as an int.
    return lambda value: value if type(value) is kind else None


def _number(value: object) -> object:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _list(value: object) -> object:
    is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return tuple(value) if is_list and isinstance(value, list) else None


_KINDS: Mapping[object, _Kind] = {
    str: _Kind("a string", str, _only(str)),
    int: _Kind("a whole number", int, _only(int)),
    float: _Kind("a number of seconds", _seconds, _number),
    bool: _Kind("true or false", _boolean, _only(bool)),
    tuple[str, ...]: _Kind("a list of strings", _words, _list),
}
_SETTINGS = {name: _KINDS[kind] for name, kind in get_type_hints(Settings).items()}


def read_settings(flags: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """
    Return the settings from flags, environment and file.

    Args:
        flags: Values of the given flags, by setting.
        environ: The environment. Dapr's own variables (``APP_PORT``, ``DAPR_GRPC_PORT``, …) count too, but
            ``WASM_GRPC_`` variables of the same settings take precedence.

    Raises:
        ConfigError: A value is invalid. The message names the variable, or the file and key.
    """
    values = _from_file(environ.get(CONFIG_VARIABLE, ""))
    for variable, name in _DAPR_VARIABLES.items():
        if text := environ.get(variable):
            values[name] = _parse(variable, text, _SETTINGS[name])
    if endpoint := endpoint_from(environ):
        values["dapr_grpc_endpoint"] = endpoint
    for name, kind in _SETTINGS.items():
        text = environ.get(variable := _PREFIX + name.upper())
        # An empty variable counts as unset, and Kubernetes' service address is not a port.
        if text and not _SERVICE_ADDRESS.fullmatch(text):
            values[name] = _parse(variable, text, kind)
    values.update(flags)
    _warn_of_unknown(environ)
    return make_settings(values)


def hide_secrets() -> None:
    """
    Keep the tokens, which have been read, from other processes: workers that guests have escaped into.

    Nothing can read the memory or the environment of this process any more, but a privileged process.
    """
    hide_memory()
    forget_variables((*_SECRETS, *(_PREFIX + name for name in _SECRETS)))


def _warn_of_unknown(environ: Mapping[str, str]) -> None:
    """
    Log a warning for each unknown ``WASM_GRPC_`` variable, which is probably misspelled.
    """
    known = [name.removeprefix(_PREFIX) for name in _OTHER_VARIABLES] + [name.upper() for name in _SETTINGS]
    for variable in sorted(environ):
        name = variable.removeprefix(_PREFIX)
        if name == variable or name in known or _SERVICE_VARIABLES.fullmatch(variable):
            continue
        near = closest(name, known)
        hint = f"did you mean {_PREFIX}{near}?" if near else "docs/settings.md lists all"
        _log.warning("%s: unknown variable, ignored; %s", variable, hint)


def _parse(variable: str, text: str, kind: _Kind) -> object:
    try:
        return kind.from_text(text)
    except ValueError as exc:
        raise ConfigError(f"{variable}: got {text!r}; expected {kind.expected}") from exc


def _from_file(name: str) -> dict[str, Any]:
    if not name:
        return {}
    try:
        table = read_toml(Path(name))
    except FileNotFoundError as exc:
        raise ConfigError(
            f"{CONFIG_VARIABLE}: {name}: no such file; expected a TOML file of settings"
        ) from exc
    except ConfigError as exc:
        raise ConfigError(f"{name}: {exc}") from exc
    return {key: _checked(name, key, value) for key, value in table.items()}


def _checked(file: str, key: str, value: object) -> object:
    kind = _SETTINGS.get(key)
    if kind is None:
        raise ConfigError(f"{file}: {key}: unknown setting; expected one of {', '.join(sorted(_SETTINGS))}")
    taken = kind.from_toml(value)
    if taken is None:
        raise ConfigError(f"{file}: {key}: got {value!r}; expected {kind.expected}")
    return taken
