"""Describe what native code depends on besides the engine: instruction set, CPU features, settings."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path

__all__ = ["describe_target"]

_FEATURE_LINES = ("flags", "Features")
"""Names of the lines of /proc/cpuinfo on x86-64 and on AArch64."""


def describe_target(settings: Mapping[str, object], *, cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """
    Return a short text that differs between machines or settings which can't share artifacts.

    It contains a digest of the CPU features that the kernel lists. If another kernel lists others, the only
    cost is a compilation.
    """
    features = hashlib.sha256(_read_features(cpuinfo).encode()).hexdigest()[:12]
    chosen = ",".join(f"{name}={settings[name]}" for name in sorted(settings))
    return f"{platform.machine()}-{platform.system().lower()} cpu:{features} {chosen}"


def _read_features(cpuinfo: Path) -> str:
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return platform.processor()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in _FEATURE_LINES:
            # The first core stands for all, and the order of the flags means nothing.
            return " ".join(sorted(value.split()))
    return platform.processor()
