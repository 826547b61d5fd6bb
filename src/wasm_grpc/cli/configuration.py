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

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["CONFIG_VARIABLE", "read_settings"]

CONFIG_VARIABLE = "WASM_GRPC_CONFIG"
"""Names a TOML file of settings; without it there is none."""

_PREFIX = "WASM_GRPC_"
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
        environ: The environment. Dapr's own ``APP_PORT`` and ``APP_API_TOKEN`` count too, below
            ``WASM_GRPC_PORT`` and ``WASM_GRPC_APP_API_TOKEN``.

    Raises:
        ConfigError: Names the variable, or the file and key.
    """
    values = _from_file(environ.get(CONFIG_VARIABLE, ""))
    if environ.get("APP_PORT"):
        values["port"] = _parse("APP_PORT", environ["APP_PORT"], _TYPES["port"])
    if environ.get("APP_API_TOKEN"):
        values["app_api_token"] = environ["APP_API_TOKEN"]
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
