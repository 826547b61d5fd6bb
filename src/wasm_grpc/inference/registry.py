"""Open the inference backend of this interpreter, or report that it has none and the remedy."""

from __future__ import annotations

import importlib.util
import platform

from wasm_grpc.core.errors import InferenceUnavailableError
from wasm_grpc.inference.protocol import Backend
from wasm_grpc.inference.tflite import PACKAGES, TfliteBackend

__all__ = ["open_backend"]


def open_backend() -> Backend:
    """
    Open the preferred one of the installed backends. This imports its package.

    Raises:
        InferenceUnavailableError: None is installed, or none loads. The message names the remedy.
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
