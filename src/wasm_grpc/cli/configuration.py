"""Where settings come from: flag > environment (``WASM_GRPC_*``) > TOML file > default."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.settings import Settings, make_settings
from wasm_grpc.core.toml_file import read_toml
from wasm_grpc.dapr.endpoint import endpoint_from
from wasm_grpc.manifest.wording import closest

__all__ = ["CONFIG_VARIABLE", "read_settings"]

CONFIG_VARIABLE = "WASM_GRPC_CONFIG"
"""Names a TOML file of settings; without it there is none."""

_log = logging.getLogger("wasm_grpc.cli")

_PREFIX = "WASM_GRPC_"
_OTHER_VARIABLES = (CONFIG_VARIABLE, "WASM_GRPC_DEBUG", "WASM_GRPC_LOG")
"""Which are no settings of a server."""
_SERVICE_VARIABLES = re.compile(
    r"WASM_GRPC_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://.*")
"""What Kubernetes sets in each pod for a Service named wasm-grpc; the address is in ``WASM_GRPC_PORT``."""
_DAPR_VARIABLES = {
    "APP_PORT": "port",
    "APP_API_TOKEN": "app_api_token",
    "APP_ID": "app_id",
    "DAPR_API_TOKEN": "dapr_api_token",
}
"""Set by ``dapr run``, and by Dapr's injector on Kubernetes."""
_BOOLEANS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_TYPES = {field.name: str(field.type) for field in fields(Settings)}
_EXPECTED = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number of seconds",
    "bool": "true or false",
    "tuple[str, ...]": "a list of texts",
}


def read_settings(flags: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
    """
    Give the settings of this start.

    Args:
        flags: Values of the flags that were given, by setting.
        environ: The environment. Dapr's own variables (``APP_PORT``, ``DAPR_GRPC_PORT``, …) count too,
            below those of the same settings that begin with ``WASM_GRPC_``.

    Raises:
        ConfigError: Names the variable, or the file and key.
    """
    values = _from_file(environ.get(CONFIG_VARIABLE, ""))
    for variable, name in _DAPR_VARIABLES.items():
        if text := environ.get(variable):
            values[name] = _parse(variable, text, _TYPES[name])
    if endpoint := endpoint_from(environ):
        values["dapr_grpc_endpoint"] = endpoint
    for name, kind in _TYPES.items():
        text = environ.get(variable := _PREFIX + name.upper())
        if text and not _SERVICE_ADDRESS.fullmatch(text):
            values[name] = _parse(variable, text, kind)
    values.update(flags)
    _warn_of_unknown(environ)
    return make_settings(values)


def _warn_of_unknown(environ: Mapping[str, str]) -> None:
    """
    Log each variable of ours that means nothing: it was probably misspelled.
    """
    known = [name.removeprefix(_PREFIX) for name in _OTHER_VARIABLES] + [name.upper() for name in _TYPES]
    for variable in sorted(environ):
        name = variable.removeprefix(_PREFIX)
        if name == variable or name in known or _SERVICE_VARIABLES.fullmatch(variable):
            continue
        near = closest(name, known)
        hint = f"did you mean {_PREFIX}{near}?" if near else "docs/settings.md has all that there are"
        _log.warning("%s: unknown variable, ignored; %s", variable, hint)


def _parse(variable: str, text: str, kind: str) -> Any:
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text.removesuffix("s"))
        if kind == "bool":
            return _BOOLEANS[text.lower()]
    except (ValueError, KeyError) as exc:
        raise ConfigError(f"{variable}: got {text!r}; expected {_EXPECTED[kind]}") from exc
    return tuple(text.split()) if kind.startswith("tuple") else text


def _from_file(name: str) -> dict[str, Any]:
    if not name:
        return {}
    try:
        table = read_toml(Path(name))
    except FileNotFoundError as exc:
        raise ConfigError(f"{CONFIG_VARIABLE}: {name}: no such file; expected a file of settings") from exc
    except ConfigError as exc:
        raise ConfigError(f"{name}: {exc}") from exc
    return {key: _checked(name, key, value) for key, value in table.items()}


def _checked(file: str, key: str, value: Any) -> Any:
    kind = _TYPES.get(key)
    if kind is None:
        raise ConfigError(f"{file}: {key}: unknown setting; expected one of {', '.join(sorted(_TYPES))}")
    if kind.startswith("tuple") and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if kind == "float" and type(value) is int:
        return float(value)
    if type(value).__name__ != kind:
        raise ConfigError(f"{file}: {key}: got {value!r}; expected {_EXPECTED[kind]}")
    return value
