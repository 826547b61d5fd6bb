"""Opens the inference backend of this interpreter, or says that it lacks one and how to have it."""

from __future__ import annotations

import importlib.util
import platform

from wasm_grpc.core.errors import InferenceUnavailableError
from wasm_grpc.inference.protocol import Backend
from wasm_grpc.inference.tflite import PACKAGES, TfliteBackend

__all__ = ["open_backend"]


def open_backend() -> Backend:
    """
    Return the preferred one of those installed; its package is imported now.

    Raises:
        InferenceUnavailableError: None is installed, or none loads; names the remedy.
    """
    reasons: list[str] = []
    for distribution, package in PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            continue
        try:
            return TfliteBackend(distribution)
        except ImportError as exc:
            reasons.append(f"{distribution} does not load: {' '.join(str(exc).split())[:200]}")
    here = f"{platform.python_implementation()} {platform.python_version()}"
    raise InferenceUnavailableError(
        f"no inference backend in {here}{''.join(f' ({reason})' for reason in reasons)}; "
        "expected 'wasm-grpc[inference]' there (`make setup` installs it)"
    )
