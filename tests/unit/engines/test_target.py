"""The target of artifacts."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasm_grpc.engines.target import describe_target

X86 = "processor\t: 0\nflags\t\t: sse avx2\n\nprocessor\t: 1\nflags\t\t: sse avx2\n"


def _target(folder: Path, cpuinfo: str, **settings: object) -> str:
    path = folder / "cpuinfo"
    path.write_text(cpuinfo)
    return describe_target(settings, cpuinfo=path)


@pytest.mark.parametrize(
    ("cpuinfo", "is_same"),
    [
        (X86.replace("sse avx2", "avx2 sse"), True),
        (X86.replace("avx2", "avx512f"), False),
        (X86.replace("flags\t\t", "Features\t"), True),
    ],
    ids=["order", "feature", "aarch64"],
)
def test_the_target_follows_the_cpu(tmp_path: Path, cpuinfo: str, *, is_same: bool) -> None:
    """Other features are another target; their order does not matter."""
    assert (_target(tmp_path, cpuinfo) == _target(tmp_path, X86)) is is_same


def test_the_target_follows_the_settings(tmp_path: Path) -> None:
    """Other settings are another target."""
    assert _target(tmp_path, X86, speed=1).endswith(" speed=1")
    assert _target(tmp_path, X86, speed=1) != _target(tmp_path, X86, speed=2)


def test_a_target_needs_no_cpuinfo(tmp_path: Path) -> None:
    """Where the kernel doesn't tell, there is still a target."""
    assert describe_target({}, cpuinfo=tmp_path / "missing")
