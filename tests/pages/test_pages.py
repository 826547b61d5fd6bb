"""Every command of every page, run word for word: on a machine of its own, in a fresh clone or an empty folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from end_to_end.pictures import digit, encoded, sample
from pages.machine import NODE_MODULES, REPOSITORY, machine
from pages.page import Command, File, Page, read_page
from pages.reader import Reader
from rig import need

__all__ = []

PAGES = {
    str(path.relative_to(REPOSITORY)): read_page(path)
    for path in [REPOSITORY / "README.md", REPOSITORY / "SECURITY.md", *(REPOSITORY / "docs").glob("*.md")]
}
DAPR = "Behind Dapr"
"""The section of README.md that the other pages send their readers to."""

NOT_RUN = {
    "make test": "it is what runs this test",
    "make bench": "it takes half an hour",
    "make bench ARGS=--quick": "it takes minutes, and disturbs the tests beside it",
    "make lint": "it downloads protobuf's compiler; CI runs it before the tests",
    "make setup": "README.md's `make demo` runs it; here it is for another folder",
    "pip install '.[wasmtime]'": "it downloads; the environment that is there was installed from the same list",
    "npm install --save-dev assemblyscript @assemblyscript/wasi-shim": "it downloads; what it does is there already",
    "rustup target add wasm32-wasip1": "it downloads; Debian has no such compiler",
    "cargo build --release --target wasm32-wasip1": "it takes the target that rustup would add",
}
"""Commands that no test can run, and why."""

BIN = REPOSITORY / ".tools" / "bin"
COMMAND_TIMEOUT_S = 150.0  # a toolchain's first build, a server's first compilation

_OUTPUT = re.compile(r"(?:-o|--output|>) (\S+)")
_ENGINES = re.compile(r"\((wasmer|wasmtime) [^)]*\)")


def _has_wasi_rust() -> bool:
    # Debian's, which the page speaks of; a rustup in PATH comes before it on a developer's machine.
    return Path("/usr/bin/rustc").exists() and Path("/usr/lib/rustlib/wasm32-wasi").exists()


def _postgres() -> Path | None:
    """Return the folder with PostgreSQL's programs."""
    found = subprocess.run([REPOSITORY / "scripts" / "postgres"], capture_output=True, text=True, check=False)
    return None if found.returncode else Path(found.stdout.strip()).parent


TOOLCHAINS: Mapping[str, Callable[[], bool]] = {
    "C": lambda: bool(shutil.which("clang")) and Path("/usr/lib/wasm32-wasi/libc.a").exists(),
    "Go": lambda: shutil.which("go") is not None,
    "Rust": _has_wasi_rust,
    "AssemblyScript": NODE_MODULES.exists,
}


@dataclass(frozen=True)
class Visit:
    """A page as one reader follows it: all of it, or one language of docs/functions.md."""

    page: Page
    language: str = ""  # of the program that the page writes, if it writes one
    is_elsewhere: bool = False  # the page begins in an empty folder, not in the clone
    skipped: frozenset[str] = field(default_factory=frozenset)  # sections


def _visits() -> dict[str, Visit]:
    visits = {}
    for name, page in PAGES.items():
        if name == "docs/dapr.md":
            visits[name] = Visit(page, "C", is_elsewhere=True)
            continue
        if name != "docs/functions.md":
            visits[name] = Visit(page)
            continue
        for language in TOOLCHAINS:
            others = frozenset(TOOLCHAINS) - {language}
            visits[f"{name}, {language}"] = Visit(page, language, is_elsewhere=True, skipped=others)
    return visits


VISITS = _visits()


@pytest.fixture(params=[name for name, visit in VISITS.items() if visit.page.steps])
def visit(request: pytest.FixtureRequest) -> Visit:
    """Each page that has a command, where the tools that it takes are here."""
    found = VISITS[request.param]
    for tool in ("clang", "curl", "redis-server"):
        need(shutil.which(tool), f"no {tool}: scripts/test installs it")
    need(_postgres(), "no postgres: scripts/test installs it")
    for tool in ("dapr", "daprd", "grpcurl"):
        need((BIN / tool).exists() or None, f"no {tool}: tests/daprd/build {tool} makes it with Go")
    if found.language and not TOOLCHAINS[found.language]():
        pytest.skip(f"no toolchain for {found.language}: scripts/test installs what Debian has")
    return found


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for native code that all pages share."""
    return tmp_path_factory.mktemp("artifacts")


@pytest_asyncio.fixture
async def reader(visit: Visit, cache: Path, tmp_path: Path) -> AsyncIterator[Reader]:
    """Somebody at the page's beginning, who has the files that the page takes for theirs."""
    home, empty, state = tmp_path / "home", tmp_path / "empty", tmp_path / "state"
    for each in (home, empty, state):
        each.mkdir()
    _write_programs(home / "bin")
    (home / ".curlrc").write_text("fail-with-body\nsilent\n")  # else curl ends well whatever the answer is
    async with machine(tmp_path) as there:
        _write_own_files(tmp_path / "clone")
        found = Reader(there, state=state, cwd=REPOSITORY, env=_environment(home, cache))
        try:
            yield found
        finally:
            await found.leave()


def _write_programs(folder: Path) -> None:
    """Write programs that run PostgreSQL as somebody else: the machine's only user is root, whom it refuses."""
    folder.mkdir()
    for name in ("initdb", "postgres"):
        program = f'exec unshare --user --map-user=1000 --map-group=1000 {_postgres()}/{name} "$@"'
        (folder / name).write_text(f"#!/bin/sh\n{program}\n")
        (folder / name).chmod(0o755)


def _write_own_files(folder: Path) -> None:
    (folder / "photo.jpg").write_bytes(encoded(sample(), "JPEG"))
    (folder / "digit.png").write_bytes(digit())
    (folder / "digit.jpg").write_bytes(digit("JPEG", paper=0, ink=255))
    for log in ("app.log", "big.log"):
        (folder / log).write_text("mail me@example.org\n" * 1000, "utf-8")


def _environment(home: Path, cache: Path) -> dict[str, str]:
    go = shutil.which("go")
    path = [
        str(home / "bin"),
        "/usr/local/bin",
        "/usr/bin",
        "/bin",
        "/usr/sbin",
        "/sbin",
        *([str(Path(go).parent)] if go else []),
    ]
    env = {
        "HOME": str(home),
        "PATH": os.pathsep.join(path),
        "LANG": "C.UTF-8",
        "WASM_GRPC_CACHE_DIR": str(cache),
        "DAPR_HOST_IP": "127.0.0.1",  # else daprd ends where there is no network but loopback
    }
    if go:
        asked = subprocess.run([go, "env", "GOCACHE"], capture_output=True, text=True, check=True, timeout=10)
        env["GOCACHE"] = asked.stdout.strip()
    return env


@pytest.mark.asyncio
@pytest.mark.timeout(600)  # a page starts several servers, and a toolchain builds
async def test_every_command_works(visit: Visit, reader: Reader, tmp_path: Path) -> None:
    """Each command exits with 0, shows what the page shows, and leaves the files that it names."""
    if visit.page.name != "README.md":
        await _prepare(reader)
    if visit.is_elsewhere:
        reader.cwd = tmp_path / "empty"
    if visit.language == "AssemblyScript":
        # What npm would fetch.
        (reader.cwd / "hello").mkdir()
        (reader.cwd / "hello" / "node_modules").symlink_to(NODE_MODULES)

    for step in visit.page.steps:
        if step.section in visit.skipped:
            continue
        if isinstance(step, File):
            await reader.write(step)
        elif step.text not in NOT_RUN:
            await _follow(reader, step, f"{visit.page.name}:{step.line}")


async def _prepare(reader: Reader) -> None:
    """Do what a page takes as done: the environment is active, and the Dapr CLI has its runtime."""
    await _follow(reader, Command(0, "", ". .venv/bin/activate"), "every page")
    for command in PAGES["README.md"].commands:
        if command.section == DAPR and not command.text.startswith(("dapr", "curl", "wasm-grpc")):
            await _follow(reader, command, f"README.md:{command.line}")


async def _follow(reader: Reader, command: Command, place: str) -> None:
    ended = await reader.type(command, timeout_s=COMMAND_TIMEOUT_S)
    shown = "\n".join(ended.shown)
    said = f"{place}: {command.text}\n{shown}"
    if command.output is not None:
        assert _pattern(command.output).fullmatch(_ENGINES.sub("(…)", shown)), said
    # Where the page shows what a command prints, it may show how one fails.
    assert ended.code == 0 or command.output, f"exit code {ended.code}; expected 0\n{said}"
    for path in _OUTPUT.findall(command.text):
        left = await reader.type(Command(0, "", f"test -s {path}"), timeout_s=10)
        assert left.code == 0, f"{path} is empty or missing\n{said}"


def _pattern(output: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern for the output that a page shows, in which … stands for any text, as do the engines."""
    text = _ENGINES.sub("(…)", "\n".join(output))
    return re.compile(".*".join(map(re.escape, text.split("…"))), re.DOTALL)


def test_what_is_not_run_is_there() -> None:
    """The list of commands that aren't run names none that has gone from the pages."""
    there = {command.text for page in PAGES.values() for command in page.commands}

    assert set(NOT_RUN) - there == set()


def test_the_section_about_dapr_is_there() -> None:
    """README.md has the section that the others send to, with the commands that stand in for `dapr init`."""
    section = [command.text for command in PAGES["README.md"].commands if command.section == DAPR]

    assert section[:2] == ["tests/daprd/init", "export PATH=$PWD/.tools/bin:$PATH"]
