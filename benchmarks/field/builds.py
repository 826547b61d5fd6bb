"""Make the programs of the field that are no Python: daprd with `bindings.wasm`, and the Go app on wazero."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import ROOT
from benchmarks.sidecar import find_benchmark_daprd

__all__ = ["Built", "build", "built_programs"]

_OUT = ROOT / ".tools" / "bin"
_GO_APP = ROOT / "benchmarks" / "apps" / "wazero"
_GO_APP_NAME = "wazero-app"
_BINDING = b"components-contrib/bindings/wasm"
"""In a daprd that has the component: Go keeps the names of its packages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """
    What there is.

    Attributes:
        daprd: Path of daprd; None where there is none.
        has_binding: Whether it has the component `bindings.wasm`.
        go_app: Path of the Go app; None where it can't be built.
        left_out: A sentence on each peer that can't be measured, by its key.
    """

    daprd: str | None
    has_binding: bool
    go_app: Path | None
    left_out: dict[str, str]


def build(tell: Callable[[str], None]) -> Built:
    """
    Build what Go can build here, minutes the first time, and find the rest.

    Args:
        tell: Told of each build as it begins.
    """
    left_out: dict[str, str] = {}
    has_go = shutil.which("go") is not None
    if has_go and not os.environ.get("DAPRD"):
        tell("building daprd and the Go app, which takes minutes the first time")
        _run([ROOT / "tests" / "daprd" / "build", "daprd"])
    daprd = find_benchmark_daprd()
    has_binding = daprd is not None and _BINDING in Path(daprd).read_bytes()
    if not has_binding:
        left_out["bindings-wasm"] = "this daprd was built without it, and no other could be built with Go"
    go_app = _build_go_app() if has_go else None
    if go_app is None:
        left_out["go-wazero"] = "Go or its modules are missing"
    return Built(daprd=daprd, has_binding=has_binding, go_app=go_app, left_out=left_out)


def built_programs() -> list[Path]:
    """
    Return the paths of daprd and of the Go app, of those that are there.
    """
    paths = (find_benchmark_daprd(), str(_OUT / _GO_APP_NAME))
    return [Path(path) for path in paths if path and Path(path).exists()]


def _build_go_app() -> Path | None:
    target = _OUT / _GO_APP_NAME
    _OUT.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [
        "go",
        "build",
        "-trimpath",
        "-buildvcs=false",
        "-ldflags=-s -w",
        "-o",
        target,
        ".",
    ]
    return target if _run(command, cwd=_GO_APP) else None


def _run(command: list[str | Path], cwd: Path = ROOT) -> bool:
    env = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    return subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, check=False).returncode == 0
