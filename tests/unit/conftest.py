"""Functions on disk, for the unit tests of several packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["MINIMAL", "WriteFunction", "write_function"]

MINIMAL = """
name = "{name}"
module = "{name}.wasm"
[[trigger.invoke]]
method = "{name}"
"""

WriteFunction = Callable[..., Path]


@pytest.fixture
def write_function(tmp_path: Path) -> WriteFunction:
    """
    Return a writer of ``functions/<name>/``: a manifest, minimal if none is given, and an empty module.
    """

    def write(name: str, manifest: str | None = None, *, has_module: bool = True) -> Path:
        folder = tmp_path / "functions" / name
        folder.mkdir(parents=True)
        (folder / "function.toml").write_text(MINIMAL.format(name=name) if manifest is None else manifest)
        if has_module:
            (folder / f"{name}.wasm").write_bytes(b"\0asm\1\0\0\0")
        return folder

    return write
