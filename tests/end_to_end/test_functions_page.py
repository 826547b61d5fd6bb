"""docs/functions.md, followed word by word in an empty folder for each language whose toolchain is here."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rig import serve
from rig.environment import clean_environment

__all__ = []

REPOSITORY = Path(__file__).resolve().parents[2]
NODE_MODULES = REPOSITORY / "tests" / "conformance" / "guests" / "assemblyscript" / "node_modules"
SECTIONS = dict(
    part.split("\n", 1)
    for part in (REPOSITORY / "docs" / "functions.md").read_text("utf-8").split("\n## ")[1:]
)

_FILE = re.compile(r"^`(?P<path>\S+)`:\n\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_ENGINES = re.compile(r"\((wasmer|wasmtime) .*\)")
_BLOCK = r"^```{}\n(?P<text>.*?)^```$"


def _blocks(section: str, kind: str) -> list[str]:
    return re.findall(_BLOCK.format(kind), SECTIONS[section], re.MULTILINE | re.DOTALL)


def _has_wasi_rust() -> bool:
    # Debian's, which the page speaks of; a rustup in PATH comes before it on a developer's machine.
    rustc = Path("/usr/bin/rustc")
    return rustc.exists() and Path("/usr/lib/rustlib/wasm32-wasi").exists()


TOOLCHAINS: Mapping[str, Callable[[], bool]] = {
    "C": lambda: bool(shutil.which("clang")) and Path("/usr/lib/wasm32-wasi/libc.a").exists(),
    "Go": lambda: shutil.which("go") is not None,
    "Rust": _has_wasi_rust,
    "AssemblyScript": NODE_MODULES.exists,
}


@pytest.fixture(params=TOOLCHAINS)
def language(request: pytest.FixtureRequest) -> str:
    """Each language of the page; its toolchain is set up by `make functions`, never by the tests."""
    name: str = request.param
    if not TOOLCHAINS[name]():
        pytest.skip(f"no toolchain for {name}: make functions sets it up")
    return name


@pytest.fixture
def env(cache_environment: dict[str, str]) -> dict[str, str]:
    """An environment in which `wasm-grpc` is on the PATH, as after `. .venv/bin/activate`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", os.environ["PATH"]])
    return {**clean_environment(cache_environment), "PATH": path}


def _shell(script: str, *, folder: Path, env: Mapping[str, str]) -> str:
    """Run a block as a person types it, and return all that the terminal shows."""
    ended = subprocess.run(
        ["bash", "-c", f"exec 2>&1\n{script}"],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    return ended.stdout


def _follow(block: str, *, folder: Path, env: Mapping[str, str]) -> None:
    """Hold the commands of a block to the output that stands below them."""
    lines = block.splitlines()
    script = "\n".join(line.removeprefix("$ ") for line in lines if line.startswith("$ "))
    expected = [line for line in lines if not line.startswith("$ ")]
    found = _shell(script, folder=folder, env=env).splitlines()
    assert [_ENGINES.sub("(…)", line) for line in found] == [_ENGINES.sub("(…)", line) for line in expected]


def _build(language: str, *, folder: Path, env: Mapping[str, str]) -> None:
    (commands,) = _blocks(language, "sh")
    if language == "AssemblyScript":
        # What npm would fetch is there already.
        (folder / "node_modules").symlink_to(NODE_MODULES)
        commands = "\n".join(line for line in commands.splitlines() if not line.startswith("npm install"))
    printed = _shell(commands, folder=folder, env=env)
    assert (folder / "functions" / "greet" / "greet.wasm").exists(), printed


@pytest.mark.asyncio
@pytest.mark.timeout(180)  # a toolchain's first build
async def test_the_page_can_be_followed(language: str, env: dict[str, str], tmp_path: Path) -> None:
    """Each command gives what the page shows: built, checked, run, served and called."""
    (make_folder,) = _blocks("An empty folder", "sh")
    _shell(make_folder, folder=tmp_path, env=env)
    folder = tmp_path / "hello"
    for section in ("An empty folder", language):
        ((path, text),) = _FILE.findall(SECTIONS[section])
        (folder / path).write_text(text, "utf-8")

    _build(language, folder=folder, env=env)
    for block in _blocks("Check it, run it once", "console"):
        _follow(block, folder=folder, env=env)
    async with serve(folder / "functions", env=env) as server:
        (block,) = _blocks("Serve and call it", "console")
        there = shlex.join(["--address", server.address])
        _follow(block.replace("invoke greet", f"invoke greet {there}"), folder=folder, env=env)
