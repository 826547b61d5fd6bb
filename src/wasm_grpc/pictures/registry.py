"""Open the picture decoder of this interpreter, or report that it has none and the remedy."""

from __future__ import annotations

import os
import platform

from wasm_grpc.core.errors import PicturesUnavailableError
from wasm_grpc.pictures.protocol import Decoder

__all__ = ["open_decoder"]


def open_decoder() -> Decoder:
    """
    Open the decoder. This imports its packages, which takes 0.1 s.

    Raises:
        PicturesUnavailableError: They are not installed, or don't load. The message names the remedy.
    """
    # A worker runs one guest at a time, so NumPy's own threads would only take memory (32 MiB each).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from wasm_grpc.pictures.pillow import PillowDecoder  # noqa: PLC0415 - optional
    except ImportError as exc:
        here = f"{platform.python_implementation()} {platform.python_version()}"
        reason = " ".join(str(exc).split())[:200]
        raise PicturesUnavailableError(
            f"pictures can't be decoded in {here} ({reason}); "
            "expected 'wasm-grpc[pictures]' there (`make setup` installs it)"
        ) from exc
    return PillowDecoder()
