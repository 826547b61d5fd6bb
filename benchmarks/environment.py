"""The machine and the versions that the figures of a run depend on."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from benchmarks.machine import cores
from benchmarks.runtimes import OurRuntime

__all__ = ["describe_machine", "describe_versions"]

_PACKAGES = ("wasm-grpc", "dapr", "grpcio", "protobuf", "wasmtime", "pillow", "ai-edge-litert", "numpy")
_GO_MODULES = ("tetratelabs/wazero", "dapr/components-contrib", "dapr/go-sdk")


def describe_machine() -> dict[str, str]:
    """
    Return what the machine is, and how busy it was before the run.
    """
    load, _, _ = os.getloadavg()
    memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "CPU": _line(Path("/proc/cpuinfo"), "model name") or platform.processor() or "unknown",
        "cores": str(cores()),
        "memory": f"{memory_bytes / (1 << 30):.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load before": f"{load:.1f}",
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
    }


def describe_versions(runtimes: Sequence[OurRuntime], programs: Sequence[Path]) -> dict[str, str]:
    """
    Return the versions of everything that runs.

    Args:
        runtimes: Ours.
        programs: Built by Go: daprd and the app, if they are there.
    """
    found = {"Python": platform.python_version()}
    found |= {f"our {each.engine}": each.title for each in runtimes}
    found |= {name: _version(name) for name in _PACKAGES}
    if go := shutil.which("go"):
        found["Go"] = _output(go, "version").removeprefix("go version ")
    for program in programs:
        found |= _go_versions(program)
    return found


def _go_versions(program: Path) -> dict[str, str]:
    """
    Read the modules of a program: Go writes them into it, a line each.
    """
    binary = program.read_bytes()
    found = {"daprd": _output(str(program), "--version")} if program.name == "daprd" else {}
    for module in _GO_MODULES:
        match = re.search(rb"dep\tgithub.com/%b\t(v[0-9.]+)" % module.encode(), binary)
        if match:
            found[f"{module.rpartition('/')[2]} in {program.name}"] = match[1].decode()
    return found


def _line(path: Path, key: str) -> str:
    if not path.exists():
        return ""
    lines = (line.partition(":") for line in path.read_text("utf-8").splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
