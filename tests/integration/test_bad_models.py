"""What is wrong with models on disk, or with what should run them: one clear line each, before anything is served."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from integration.commands import Ended, run_command
from integration.guests import assemble, write_function
from models import model_bytes, model_path

NOT_THERE = "'model.tflite'; expected it below the function's folder"
PIN = "0" * 64
PATH = "capabilities.nn.models.default.path"


def _remove(file: Path) -> None:
    file.unlink()


def _make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _lead_out(file: Path) -> None:
    file.unlink()
    file.symlink_to("/etc/hostname")


def _pin(file: Path) -> None:
    manifest = file.with_name("function.toml")
    manifest.write_text(manifest.read_text().replace("model.tflite", f'model.tflite", sha256 = "{PIN}'))


def _content(content: bytes) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.write_bytes(content)

    return write


MODELS: Mapping[str, tuple[Callable[[Path], None], str]] = {
    "not there": (_remove, f"{PATH}: no file {NOT_THERE}"),
    "a folder": (
        _make_folder,
        f"{PATH}: 'model.tflite' is a folder; expected a file",
    ),
    "leads out": (
        _lead_out,
        f"{PATH}: 'model.tflite' is a link out of the function's folder; expected a file below it",
    ),
    "empty": (
        _content(b""),
        f"{PATH}: 'model.tflite' is empty; expected a TensorFlow Lite model",
    ),
    "no model": (
        _content(b"GIF89a, and no model"),
        f"{PATH}: 'model.tflite' is not a TensorFlow Lite model (…); expected a model that runs",
    ),
    "truncated": (
        _content(model_bytes("double")[:-100]),
        f"{PATH}: 'model.tflite' is not a TensorFlow Lite model (…); expected a model that runs",
    ),
    "unknown operator": (
        _content(model_bytes("custom")),
        f"{PATH}: 'model.tflite' has operators that the backend lacks (…); expected a model that runs",
    ),
    "text": (
        _content(model_bytes("words")),
        f"{PATH}: 'model.tflite' tensor 'words' holds bytes; expected numbers; expected a model that runs",
    ),
    "crashes": (
        _content(model_bytes("endless")),
        f"{PATH}: 'model.tflite' crashed the process that tried it (…); expected a model that runs",
    ),
    "wrong digest": (
        _pin,
        "capabilities.nn.models.default.sha256: 'model.tflite' has digest "
        f"{hashlib.sha256(model_bytes('double')).hexdigest()}; expected {PIN}",
    ),
}


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    """Write one function with a sound model, and one that asks for none."""
    folder = tmp_path / "functions"
    write_function(folder, "echo")
    sections = '[capabilities.nn]\nmodels.default = { path = "model.tflite" }\n'
    place = write_function(folder, "infer", sections=sections)
    (place / "model.tflite").write_bytes(model_bytes("double"))
    return folder


def end(command: str, functions: Path, *flags: str | Path, env: Mapping[str, str]) -> Ended:
    """Run a command on the functions."""
    environment = {**env, "WASM_GRPC_LOG": "warning", "APP_PORT": "0"}
    return run_command(command, functions, *flags, env=environment)


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize(("spoil", "error"), MODELS.values(), ids=MODELS)
def test_a_wrong_model(
    engine: str,
    functions: Path,
    cache_environment: dict[str, str],
    command: str,
    spoil: Callable[[Path], None],
    error: str,
) -> None:
    """`serve` and `check` refuse it with one line that names its key, and exit code 2."""
    spoil(functions / "infer" / "model.tflite")

    ended = end(command, functions, "--engine", engine, env=cache_environment)

    # The backend's own words differ from version to version.
    found = re.sub(r"\(.+\)", "(…)", ended.stderr)
    assert (found, ended.code) == (f"infer/function.toml: {error}\n", 2)


def test_without_a_backend(
    engine: str, functions: Path, tmp_path: Path, cache_environment: dict[str, str]
) -> None:
    """An interpreter whose backend does not load refuses functions with models, and serves the others."""
    for package in ("ai_edge_litert", "tflite_runtime"):
        (tmp_path / "broken" / package).mkdir(parents=True)
        (tmp_path / "broken" / package / "__init__.py").write_text("raise ImportError('no such processor')")
    env = {**cache_environment, "PYTHONPATH": str(tmp_path / "broken")}

    refused = end("check", functions, "--engine", engine, env=env)
    other = end("check", functions / "echo", "--engine", engine, env=env)
    told = run_command("doctor", "--engine", engine, env={**env, "WASM_GRPC_LOG": "warning"})

    assert (refused.errors, refused.code) == ([_broken("infer/function.toml: capabilities.nn", refused)], 2)
    assert refused.stdout.decode().startswith("echo: ok (")
    assert other.code == 0
    assert f"--  inference {engine}" in told.stdout.decode()


def _broken(subject: str, ended: Ended) -> str:
    version = re.search(r"CPython [\d.]+", ended.stderr)
    assert version is not None
    return (
        f"{subject}: no inference backend in {version[0]} "
        "(ai-edge-litert does not load: no such processor) (tflite-runtime does not load: no such processor); "
        "expected 'wasm-grpc[inference]' there (`make setup` installs it)"
    )


@pytest.fixture
def guest(tmp_path: Path) -> Path:
    """Return a folder with the guests that `run` runs."""
    for name in ("infer", "infer-own"):
        (tmp_path / f"{name}.wasm").write_bytes(assemble(name))
    return tmp_path


def test_run_with_a_named_model(engine: str, guest: Path, cache_environment: dict[str, str]) -> None:
    """`--nn-model` lets a guest run a file by a name; nothing but its result is printed."""
    env = {**cache_environment, "WASM_GRPC_LOG": "warning"}
    flag = f"default={model_path('double')}"

    ended = run_command(
        "run", "--engine", engine, "--nn-model", flag, guest / "infer.wasm", stdin=b"\x15\0\0\0", env=env
    )

    assert (ended.stdout, ended.stderr, ended.code) == (b"\x2a\0\0\0", "", 0)


def test_run_with_a_model_of_its_own(engine: str, guest: Path, cache_environment: dict[str, str]) -> None:
    """`--nn` lets a guest load its own model; without it, it is stopped."""
    env = {**cache_environment, "WASM_GRPC_LOG": "warning"}
    model = model_bytes("double")

    allowed = run_command("run", "--engine", engine, "--nn", guest / "infer-own.wasm", stdin=model, env=env)
    denied = run_command("run", "--engine", engine, guest / "infer-own.wasm", stdin=model, env=env)

    assert (len(allowed.stdout), allowed.stderr, allowed.code) == (4, "", 0)
    assert denied.errors == [
        f"wasm-grpc run: {guest / 'infer-own.wasm'}: the guest brings a model that was not granted; "
        "expected the content of a file in capabilities.nn.models, or capabilities.nn.load = true "
        "(`wasm-grpc run`: --nn-model, --nn)"
    ]
    assert denied.code == 134


def test_run_grants_a_model_that_the_module_embeds(
    engine: str, guest: Path, cache_environment: dict[str, str]
) -> None:
    """`--nn-model` allows a guest to bring the file's content, whatever name it gives it."""
    env = {**cache_environment, "WASM_GRPC_LOG": "warning"}
    module, model = guest / "infer-own.wasm", model_path("double")

    done = run_command(
        "run", "--engine", engine, "--nn-model", f"any={model}", module, stdin=model.read_bytes(), env=env
    )

    assert (len(done.stdout), done.stderr, done.code) == (4, "", 0)


RUN_FLAGS: Mapping[str, tuple[list[str], str]] = {
    "no name": (
        ["--nn-model", "double.tflite"],
        "argument --nn-model: 'double.tflite' is not a model; expected NAME=PATH, such as default=model.tflite",
    ),
    "no file": (
        ["--nn-model", "m=none.tflite"],
        "--nn-model m=none.tflite: 'none.tflite' can't be read: No such file or directory; "
        "expected a readable file",
    ),
    "twice": (
        ["--nn-model", f"m={model_path('double')}", "--nn-model", f"m={model_path('words')}"],
        f"--nn-model m={model_path('words')}: 'm' is given twice; expected another name",
    ),
    "not to be run": (
        ["--nn-model", f"m={model_path('custom')}"],
        "model 'm': has operators that the backend lacks (Oracle); expected one that runs",
    ),
}


@pytest.mark.parametrize(("flags", "error"), RUN_FLAGS.values(), ids=RUN_FLAGS)
def test_run_with_a_wrong_model(
    guest: Path, cache_environment: dict[str, str], flags: list[str], error: str
) -> None:
    """A wrong model is one line and 125: the guest did not run."""
    env = {**cache_environment, "WASM_GRPC_LOG": "warning"}

    ended = run_command("run", *flags, guest / "infer.wasm", env=env)

    assert (ended.errors, ended.code) == ([f"wasm-grpc run: {error}"], 125)
