"""`wasm-grpc invoke` as a person types it, against a server and through a sidecar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from end_to_end.app import APP_ID, App
from end_to_end.pictures import encoded, grey_difference, sample
from rig import child, installed_command
from rig.environment import clean_environment

__all__ = []

pytestmark = pytest.mark.asyncio(loop_scope="session")

TARGETS = ["direct", "sidecar"]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What a command left behind."""

    code: int
    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()


async def run(*command: str | Path, env: Mapping[str, str]) -> Ended:
    """Run a command to its end."""
    async with child(*command, env=clean_environment(env)) as running:
        code = await running.wait(timeout_s=15)
    return Ended(code=code, stdout=tuple(running.stdout.lines), stderr=tuple(running.stderr.lines))


async def invoke(
    app: App, target: str, *arguments: str | Path, env: Mapping[str, str] | None = None
) -> Ended:
    """Run `wasm-grpc invoke` with the environment that `dapr run` gives, unless `env` says otherwise."""
    sidecar = app.sidecar if target == "direct" else app.caller
    to = ["--address", app.server.address] if target == "direct" else ["--app-id", APP_ID]
    return await run(
        installed_command(), "invoke", *arguments, *to, env={**sidecar.app_environment, **(env or {})}
    )


@pytest.mark.parametrize("target", TARGETS)
async def test_a_picture_comes_back_grey(app: App, target: str, tmp_path: Path) -> None:
    """A picture in a file becomes a grey one in another file."""
    photo, grey = tmp_path / "photo.jpg", tmp_path / "grey.png"
    photo.write_bytes(encoded(sample(), "JPEG"))

    ended = await invoke(app, target, "grayscale", "--data", photo, "--output", grey)

    assert ended == Ended(code=0)
    assert grey_difference(grey.read_bytes(), photo.read_bytes()) <= 2


@pytest.mark.parametrize("target", TARGETS)
async def test_the_flags_make_the_request(app: App, target: str) -> None:
    """Verb, query, content type and headers are what the flags say, and the answer is on standard output."""
    flags = [
        "--verb",
        "PUT",
        "--query",
        "a=1&b=2",
        "--content-type",
        "text/x-own",
        "--header",
        "x-custom=one",
    ]

    ended = await invoke(app, target, "environment", *flags)

    (answer,) = ended.stdout
    expected = {
        "CONTENT_TYPE=text/x-own",
        "HTTP_X_CUSTOM=one",
        "QUERY_STRING=a=1&b=2",
        "REQUEST_METHOD=PUT",
    }
    assert expected - set(answer.split("\0")) == set()


async def test_standard_input_is_the_body(app: App) -> None:
    """Without `--data` the body is what comes in by a pipe."""
    command = f"printf body | '{installed_command()}' invoke echo --address {app.server.address}"

    ended = await run("sh", "-c", command, env=app.sidecar.app_environment)

    assert ended == Ended(code=0, stdout=("body",))


@pytest.mark.parametrize("target", TARGETS)
async def test_a_failed_call_is_one_line(app: App, target: str) -> None:
    """A call that fails exits with 1, and says the code and the sentence."""
    ended = await invoke(app, target, "grayscale")

    sentence = "the body is empty; expected a JPEG, PNG, GIF, BMP or WebP picture"
    line = f"INVALID_ARGUMENT: function 'grayscale': rejected the input: {sentence}"
    assert ended == Ended(code=1, stderr=(line,))


@pytest.mark.parametrize(
    ("target", "variable"), [("direct", "APP_API_TOKEN"), ("sidecar", "DAPR_API_TOKEN")], ids=TARGETS
)
async def test_a_wrong_token_is_one_line(app: App, target: str, variable: str) -> None:
    """The token is taken from the variable that belongs to who is called; a wrong one is refused."""
    ended = await invoke(app, target, "echo", env={variable: "wrong"})

    (line,) = ended.stderr
    assert (ended.code, ended.stdout) == (1, ())
    assert line.startswith("UNAUTHENTICATED: ")


async def test_a_missing_file_is_a_usage_error(app: App, tmp_path: Path) -> None:
    """A file that isn't there exits with 2, before any call."""
    missing = tmp_path / "photo.jpg"

    ended = await invoke(app, "direct", "grayscale", "--data", missing)

    line = f"wasm-grpc invoke: --data {missing}: No such file or directory; expected a readable file"
    assert ended == Ended(code=2, stderr=(line,))


@pytest.mark.parametrize("target", TARGETS)
async def test_nobody_there_is_one_line(app: App, target: str) -> None:
    """Where nothing listens, the line says where, and what was expected there."""
    options = {
        "direct": (["--address", "127.0.0.1:1"], "a running `wasm-grpc serve`"),
        "sidecar": (["--app-id", APP_ID], "a Dapr sidecar; DAPR_GRPC_PORT names its port"),
    }
    to, expected = options[target]

    ended = await run(installed_command(), "invoke", "echo", *to, env={"DAPR_GRPC_PORT": "1"})

    line = f"UNAVAILABLE: nothing answers at 127.0.0.1:1; expected {expected}"
    assert ended == Ended(code=1, stderr=(line,))
