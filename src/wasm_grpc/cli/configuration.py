"""Where settings come from: flag > environment (``WASM_GRPC_*``) > TOML file > default."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.settings import Settings, make_settings
from wasm_grpc.dapr.endpoint import endpoint_from

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["CONFIG_VARIABLE", "read_settings"]

CONFIG_VARIABLE = "WASM_GRPC_CONFIG"
"""Names a TOML file of settings; without it there is none."""

_PREFIX = "WASM_GRPC_"
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
        if text:
            values[name] = _parse(variable, text, kind)
    values.update(flags)
    return make_settings(values)


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
        table = tomllib.loads(Path(name).read_text("utf-8"))
    except OSError as exc:
        raise ConfigError(f"{CONFIG_VARIABLE}: {name}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{name}: not TOML: {exc}") from exc
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
