"""How every Wasmtime engine of ours is configured: one set of settings for compiling and for running."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import wasmtime
from wasmtime import Config

from wasm_grpc.engines.target import describe_target

__all__ = ["SETTINGS", "make_config", "target", "wasmtime_version"]

SETTINGS: Mapping[str, bool | str | int] = {
    # Untrusted code: what can't be held by limits.memory stays off.
    "shared_memory": False,
    "wasm_memory64": False,
    "wasm_multi_memory": False,
    "wasm_gc": False,
    "wasm_custom_page_sizes": False,
    "wasm_component_model": False,
    # Atomics work on a memory of the guest's own too; a shared one stays refused.
    "wasm_threads": True,
    # Modules are compiled before anything is served: a module's functions may use every core.
    "parallel_compilation": True,
    "cranelift_opt_level": "speed",
    # A memory never moves, so that a view stays good until the memory grows.
    "memory_may_move": False,
    "memory_reservation": 1 << 32,
    "max_wasm_stack": 512 * 1024,
}
"""Attributes of `wasmtime.Config`, and part of the target that artifacts are kept by."""


def make_config() -> Config:
    """
    A configuration with our settings.
    """
    config = Config()
    for name, value in SETTINGS.items():
        setattr(config, name, value)
    return config


def target() -> str:
    """
    The target of artifacts that are made here.
    """
    return describe_target(SETTINGS)


def wasmtime_version() -> str:
    """
    Version of the installed package.
    """
    # As its installer named the folder of its metadata: `importlib.metadata` would read the same, and its
    # import alone would cost every worker's start 20 ms.
    found = [path.stem for path in Path(wasmtime.__file__).parents[1].glob("wasmtime-*.dist-info")]
    if len(found) == 1:
        return found[0].removeprefix("wasmtime-")
    from importlib.metadata import version

    return version("wasmtime")
