"""The settings of every Wasmtime engine, the same for compiling and for running."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import wasmtime
from wasmtime import Config

from wasm_grpc.engines.target import describe_target

__all__ = ["SETTINGS", "make_config", "target", "wasmtime_version"]

SETTINGS: Mapping[str, bool | str | int] = {
    # Guests are untrusted: features that limits.memory can't limit stay off.
    "shared_memory": False,
    "wasm_memory64": False,
    "wasm_multi_memory": False,
    "wasm_gc": False,
    "wasm_custom_page_sizes": False,
    "wasm_component_model": False,
    # Atomics also work on a guest's own memory. Shared memories stay refused.
    "wasm_threads": True,
    # Modules are compiled before the server serves, so compiling may use every core.
    "parallel_compilation": True,
    "cranelift_opt_level": "speed",
    # A memory never moves, so that a view stays valid until the memory grows.
    "memory_may_move": False,
    "memory_reservation": 1 << 32,
    "max_wasm_stack": 512 * 1024,
}
"""Attributes of `wasmtime.Config`. They are part of an artifact's target."""


def make_config(*, on_one_thread: bool = False) -> Config:
    """
    Return a configuration with our settings.

    Args:
        on_one_thread: Compile without starting threads, which stay for the life of the process. The native
            code is the same.
    """
    config = Config()
    for name, value in SETTINGS.items():
        setattr(config, name, value)
    if on_one_thread:
        config.parallel_compilation = False
    return config


def target() -> str:
    """
    Return the target of artifacts that are compiled here.
    """
    return describe_target(SETTINGS)


def wasmtime_version() -> str:
    """
    Return the version of the installed package.
    """
    # As its installer named the folder of its metadata: `importlib.metadata` would read the same, and its
    # import alone would cost every worker's start 20 ms.
    found = [path.stem for path in Path(wasmtime.__file__).parents[1].glob("wasmtime-*.dist-info")]
    if len(found) == 1:
        return found[0].removeprefix("wasmtime-")
    from importlib.metadata import version

    return version("wasmtime")
