"""The folder of functions that our server serves where their own folder would not do."""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.classifier import QUEUE_WAIT, Classifier, lay_out_classify
from benchmarks.processes import ROOT
from wasm_grpc.core.model import MIB

__all__ = ["LARGEST_BODY_BYTES", "lay_out"]

LARGEST_BODY_BYTES = 64 * MIB
"""That echo takes here, and that a result of unlimited length may have outside a stream."""

_COPIED = ("echo", "grayscale")
_LIMITS = "[limits]\n"
_GRANT = "dapr."


def lay_out(classifier: Classifier | None, folder: Path) -> Path:
    """
    Make a folder in which echo takes large bodies, and classify, if there is one, runs that model.

    All of them wait longer in the queue than they do by default, so that a busy machine doesn't end a run.
    None may call Dapr, as grayscale would to report what it did: nothing that it is compared with does.
    """
    for name in _COPIED:
        shutil.copytree(ROOT / "functions" / name, folder / name)
        _remove_grants(folder / name / "function.toml")
        _raise_limits(folder / name / "function.toml", f'queue_wait = "{QUEUE_WAIT}"')
    _raise_limits(folder / "echo" / "function.toml", f'body = "{LARGEST_BODY_BYTES // MIB}MiB"')
    if classifier is not None:
        lay_out_classify(classifier, folder / "classify")
    return folder


def _remove_grants(manifest: Path) -> None:
    lines = manifest.read_text("utf-8").splitlines(keepends=True)
    manifest.write_text("".join(line for line in lines if not line.startswith(_GRANT)), "utf-8")


def _raise_limits(manifest: Path, line: str) -> None:
    manifest.write_text(manifest.read_text("utf-8").replace(_LIMITS, f"{_LIMITS}{line}\n"), "utf-8")
