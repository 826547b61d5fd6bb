"""Open an engine by name, or report what this interpreter lacks and the remedy."""

from __future__ import annotations

import platform

from wasm_grpc.core.errors import EngineUnavailableError
from wasm_grpc.core.model import EngineName
from wasm_grpc.engines.protocol import Engine

__all__ = ["open_engine"]

_REMEDIES = {
    EngineName.WASMER: "expected CPython 3.10 or older with 'wasm-grpc[wasmer]'",
    EngineName.WASMTIME: "expected 'wasm-grpc[wasmtime]'",
}


def open_engine(name: EngineName) -> Engine:
    """
    Open the engine of that name in this process. This imports its package.

    Raises:
        EngineUnavailableError: It is not installed for this interpreter. The message names the remedy.
    """
    try:
        return _OPENERS[name]()
    except ImportError as exc:
        here = f"{platform.python_implementation()} {platform.python_version()}"
        # The text of an ImportError may have several lines. The first one names the cause.
        reason = str(exc).strip().splitlines()[0] if str(exc).strip() else "no reason given"
        raise EngineUnavailableError(
            f"engine {name.value}: not installed in {here} ({reason}); {_REMEDIES[name]}"
        ) from exc


def _open_wasmtime() -> Engine:
    from wasm_grpc.engines.wasmtime.opening import open_wasmtime

    return open_wasmtime()


def _open_wasmer() -> Engine:
    from wasm_grpc.engines.wasmer import WasmerEngine

    return WasmerEngine()


def _open_fake() -> Engine:
    from wasm_grpc.engines.fake import FakeEngine

    return FakeEngine()


_OPENERS = {
    EngineName.WASMTIME: _open_wasmtime,
    EngineName.WASMER: _open_wasmer,
    EngineName.FAKE: _open_fake,
}
