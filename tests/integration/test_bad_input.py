"""What is wrong with functions on disk: one clear line each, and exit code 2."""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from integration.commands import Ended, run_command
from integration.guests import assemble, write_function
from wasm_grpc import __version__

ECHO = '[[trigger.invoke]]\nmethod = "echo"\n'


def manifest(text: str) -> Callable[[Path], None]:
    """Return what replaces the manifest of the function echo."""

    def write(functions: Path) -> None:
        (functions / "echo" / "function.toml").write_text(text)

    return write


def module(binary: bytes) -> Callable[[Path], None]:
    """Return what replaces the module of the function echo."""

    def write(functions: Path) -> None:
        (functions / "echo" / "echo.wasm").write_bytes(binary)

    return write


def _second(functions: Path) -> None:
    write_function(functions, "other", guest="echo", trigger=ECHO)


def _without_module(functions: Path) -> None:
    (functions / "echo" / "echo.wasm").unlink()


def _without_manifest(functions: Path) -> None:
    (functions / "echo" / "function.toml").unlink()


def _empty(functions: Path) -> None:
    for file in (functions / "echo").iterdir():
        file.unlink()
    (functions / "echo").rmdir()


HEAD = 'name = "echo"\nmodule = "echo.wasm"\nguest = "wasi-command"\n'

MANIFESTS: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "no manifest": (
        _without_manifest,
        "echo/function.toml: missing; expected a manifest beside the module",
    ),
    "TOML syntax": (
        manifest("name = \n"),
        "echo/function.toml: line 1, column 8: invalid value; expected TOML 1.0",
    ),
    "unknown key": (
        manifest(f"{HEAD}{ECHO}[limits]\ntimeuot = '1s'\n"),
        "echo/function.toml: limits.timeuot: unknown key; did you mean 'limits.timeout'?",
    ),
    "wrong type": (
        manifest(f"{HEAD}args = 5\n{ECHO}"),
        "echo/function.toml: args: 5 is an integer; expected an array",
    ),
    "two functions with one method": (
        _second,
        "other/function.toml: trigger.invoke[0].method: 'echo' is already served by function 'echo'; "
        "expected another",
    ),
    "no module": (
        _without_module,
        "echo/function.toml: module: no file 'echo.wasm'; expected it below the function's folder",
    ),
    "no function": (
        _empty,
        "wasm-grpc {command}: functions: no function.toml here or one folder below; expected a folder of "
        "functions, each with a function.toml, or one function's own folder",
    ),
}

MODULES: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "no WebAssembly": (
        module(b"#!/bin/sh\n"),
        "module is not WebAssembly, it begins with b'#!/b'; expected a WebAssembly core module",
    ),
    "empty": (module(b""), "module is empty; expected a WebAssembly core module"),
    "truncated": (
        module(assemble("echo")[:100]),
        "module is cut off or damaged at byte 100; expected a valid module",
    ),
    "component": (
        module(b"\0asm\x0d\0\x01\0"),
        "module is a component; expected a WebAssembly core module: "
        "build it for WASI preview 1, target wasm32-wasip1",
    ),
    "memory over the limit": (
        manifest(f'{HEAD}{ECHO}[limits]\nmemory = "64KiB"\n'),
        "module starts with 256 KiB of memory; expected at most 64 KiB (limits.memory)",
    ),
}


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    """Write one sound function."""
    write_function(tmp_path / "functions", "echo")
    return tmp_path / "functions"


def end(command: str, functions: Path, *flags: str | Path, env: Mapping[str, str]) -> Ended:
    """Run a command on the functions, from the folder that holds theirs."""
    environment = {**env, "WASM_GRPC_LOG": "warning", "APP_PORT": "0"}
    return run_command(command, functions.name, *flags, env=environment, cwd=functions.parent)


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize(("spoil", "error"), MANIFESTS.values(), ids=MANIFESTS)
def test_a_wrong_manifest(
    functions: Path,
    cache_environment: dict[str, str],
    command: str,
    spoil: Callable[[Path], None],
    error: str,
) -> None:
    """`serve` and `check` refuse it with one line that begins with its file, and exit code 2."""
    spoil(functions)

    ended = end(command, functions, env=cache_environment)

    assert (ended.errors, ended.code) == ([error.format(command=command)], 2)
    # `check` says of the other function, where there is one, that it is right; of the blamed one it never does.
    is_other_right = command == "check" and not error.startswith("echo/")
    assert ended.stdout == b"" or (is_other_right and ended.stdout.startswith(b"echo: ok ("))


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize(("spoil", "error"), MODULES.values(), ids=MODULES)
def test_a_wrong_module(
    engine: str,
    functions: Path,
    cache_environment: dict[str, str],
    command: str,
    spoil: Callable[[Path], None],
    error: str,
) -> None:
    """A module that can't run is refused in the same words whatever the engine."""
    spoil(functions)

    ended = end(command, functions, "--engine", engine, env=cache_environment)

    assert (ended.errors, ended.stdout, ended.code) == ([f"echo/echo.wasm: {error}"], b"", 2)


def test_every_error_is_listed(functions: Path, cache_environment: dict[str, str]) -> None:
    """Several broken functions are told of at once, a line each."""
    for name in ("one", "two"):
        write_function(functions, name, guest="echo", sections="arg = 1\n")

    ended = end("serve", functions, env=cache_environment)

    assert ended.errors == [
        f"{name}/function.toml: arg: unknown key; did you mean 'args'?" for name in ("one", "two")
    ]
    assert ended.code == 2


@pytest.mark.parametrize("command", ["serve", "check", "compile"])
def test_every_fault_of_every_function_is_listed(
    engine: str, functions: Path, cache_environment: dict[str, str], command: str
) -> None:
    """Manifests, modules and methods that two functions claim: one line each, in the order of the folders."""
    write_function(functions, "a", guest="echo", sections="arg = 1\n")
    write_function(functions, "b", guest="echo")
    (functions / "b" / "b.wasm").write_bytes(assemble("echo")[:100])
    write_function(functions, "c", guest="echo", sections="name = 1\n")
    write_function(functions, "d", guest="echo", sections="sha256 = '" + 64 * "0" + "'\n")
    write_function(functions, "g", guest="echo", trigger=ECHO)
    write_function(functions, "f", guest="echo", sections="[limits]\nmemory = '64KiB'\n")

    ended = end(command, functions, "--engine", engine, env=cache_environment)

    assert [line.split(";")[0][:64] for line in ended.errors] == [
        "a/function.toml: arg: unknown key",
        "b/b.wasm: module is cut off or damaged at byte 100",
        "c/function.toml: line 4, column 9: cannot overwrite a value",
        f"d/function.toml: sha256: 'd.wasm' has digest {hashlib.sha256(assemble('echo')).hexdigest()}"[:64],
        "f/f.wasm: module starts with 256 KiB of memory",
        "g/function.toml: trigger.invoke[0].method: 'echo' is already served by function 'echo'"[:64],
    ]
    assert ended.code == 2
    assert ended.stdout.decode().startswith("echo: ok (" if command == "check" else "")


def test_a_feature_of_later(functions: Path, cache_environment: dict[str, str]) -> None:
    """What this version doesn't serve yet is refused by name at `serve`, and only noted by `check`."""
    remote = f"{HEAD}{ECHO}".replace('"echo.wasm"', '"https://example.org/echo.wasm"')
    (functions / "echo" / "function.toml").write_text(remote)
    problem = "echo/function.toml: module: remote modules are not served by this version yet; "
    problem += "expected a file below the function's folder"

    served = end("serve", functions, env=cache_environment)
    checked = end("check", functions, env=cache_environment)

    assert (served.errors, served.code) == ([problem], 2)
    assert (checked.errors, checked.code) == ([], 0)
    assert checked.stdout.decode().splitlines()[0] == f"note: {problem}"


def test_an_interpreter_that_is_not_there(
    functions: Path, tmp_path: Path, cache_environment: dict[str, str]
) -> None:
    """A --worker-python that can't be started is named in one line, with exit code 2."""
    python = tmp_path / "no-such-python"

    ended = end("serve", functions, "--worker-python", python, env=cache_environment)

    assert ended.errors == [
        f"wasm-grpc serve: worker interpreter {python}: can't be started: No such file or directory; "
        "expected a Python"
    ]
    assert ended.code == 2


def test_an_interpreter_without_the_package(
    functions: Path, tmp_path: Path, cache_environment: dict[str, str]
) -> None:
    """A --worker-python that is no worker is named in one line, with exit code 2."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 3\n")
    python.chmod(0o755)

    ended = end("serve", functions, "--worker-python", python, env=cache_environment)

    assert ended.errors == [
        f"wasm-grpc serve: worker interpreter {python}: ended with exit code 3 before it said hello; "
        f"expected one with the package wasm-grpc {__version__}"
    ]
    assert ended.code == 2


def test_an_engine_that_can_not_be_had(functions: Path, cache_environment: dict[str, str]) -> None:
    """An interpreter that lacks the wanted engine is named with what was expected, with exit code 2."""
    if importlib.util.find_spec("wasmer"):
        pytest.skip("Wasmer can be had on this CPython")

    flags = ("--engine", "wasmer", "--worker-python", sys.executable)

    ended = end("serve", functions, *flags, env=cache_environment)
    write_function(functions, "wrong", guest="echo", sections="arg = 1\n")
    wrong = end("serve", functions, *flags, env=cache_environment)

    version = platform.python_version()
    assert ended.errors == [
        f"wasm-grpc serve: worker interpreter {sys.executable}: engine wasmer: not installed in CPython {version} "
        "(No module named 'wasmer'); expected CPython 3.10 or older with 'wasm-grpc[wasmer]'"
    ]
    assert ended.code == 2
    # The engine is another matter than the manifests, whose faults are told first.
    assert wrong.errors == ["wrong/function.toml: arg: unknown key; did you mean 'args'?"]
