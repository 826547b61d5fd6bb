"""`wasm-grpc invoke`, `check` and `list` against real functions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from integration.commands import Ended, run_command
from integration.conftest import StartServer
from integration.guests import write_functions
from rig import Server, free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """Serve with a token, as long as this module's tests run."""
    functions = write_functions(
        tmp_path_factory.mktemp("functions"), {"echo": "", "exit": "", "environment": "", "spin": ""}
    )
    async with start_server(functions, "--workers", "1", env={"APP_API_TOKEN": "secret"}) as running:
        yield running


def invoke(server: Server, *arguments: str | Path, stdin: bytes = b"", token: str = "secret") -> Ended:
    """Run ``wasm-grpc invoke`` with these arguments and the server's address."""
    address = ("--address", server.address)
    return run_command("invoke", *arguments, *address, env={"APP_API_TOKEN": token}, stdin=stdin)


async def test_standard_input_to_standard_output(server: Server) -> None:
    """Without flags the body is standard input and the result goes to standard output."""
    ended = invoke(server, "echo", stdin=b"\0\xff\n")

    assert ended == Ended(0, b"\0\xff\n", "")


async def test_file_to_file(server: Server, tmp_path: Path) -> None:
    """--data and --output name files."""
    (tmp_path / "in").write_bytes(b"picture")

    ended = invoke(server, "echo", "--data", tmp_path / "in", "--output", tmp_path / "out")

    assert ended == Ended(0, b"", "")
    assert (tmp_path / "out").read_bytes() == b"picture"


async def test_what_flags_send(server: Server) -> None:
    """Verb, query, content type and headers reach the guest."""
    flags = ["--verb", "PUT", "--query", "a=1", "--content-type", "text/plain", "--header", "x-a=b=c"]

    ended = invoke(server, "environment", *flags)

    variables = set(ended.stdout.decode().split("\0"))
    assert variables >= {"REQUEST_METHOD=PUT", "QUERY_STRING=a=1", "CONTENT_TYPE=text/plain", "HTTP_X_A=b=c"}


@pytest.mark.parametrize(
    ("arguments", "stdin", "error"),
    [
        (["ecko"], b"", "NOT_FOUND: no function serves method 'ecko'; did you mean 'echo'?"),
        (["exit"], b"A", "INVALID_ARGUMENT: function 'exit': rejected the input: no picture: expected a PNG"),
        (["spin", "--timeout", "300ms"], b"", "DEADLINE_EXCEEDED: Deadline Exceeded"),
    ],
    ids=["unknown method", "rejected", "timeout"],
)
async def test_a_call_that_fails(server: Server, arguments: list[str], stdin: bytes, error: str) -> None:
    """A failed call is exit code 1 and one line, CODE: message."""
    assert invoke(server, *arguments, stdin=stdin) == Ended(1, b"", f"{error}\n")


async def test_the_token_comes_from_the_environment(server: Server) -> None:
    """Without APP_API_TOKEN the server's own refusal is told."""
    ended = invoke(server, "echo", token="")

    assert (ended.code, ended.errors) == (
        1,
        [
            "UNAUTHENTICATED: metadata dapr-api-token: missing or wrong; "
            "expected the token of this app (APP_API_TOKEN)"
        ],
    )


async def test_nobody_answers() -> None:
    """A server that isn't there is exit code 1 and a line that says what was expected."""
    address = f"127.0.0.1:{free_port()}"

    ended = run_command("invoke", "echo", "--address", address, env={})

    assert ended == Ended(
        1, b"", f"UNAVAILABLE: nothing answers at {address}; expected a running `wasm-grpc serve`\n"
    )


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["echo", "--data", "missing"],
            "wasm-grpc invoke: --data missing: No such file or directory; expected a readable file",
        ),
        (
            ["echo", "--header", "X-A=b"],
            "wasm-grpc invoke: argument --header: 'X-A=b' is not a header; "
            "expected key=value with the key in lower case",
        ),
        (
            ["echo", "--header", "a b=c"],
            "wasm-grpc invoke: argument --header: 'a b=c' is not a header; "
            "expected key=value with the key in lower case",
        ),
        (
            ["echo", "--header", "a=é"],
            "wasm-grpc invoke: argument --header: 'a=é' is not a header; "
            "expected key=value with the value in printable ASCII",
        ),
        (
            ["echo", "--header", "a-bin=b"],
            "wasm-grpc invoke: argument --header: 'a-bin=b' is a binary header; "
            "expected key=value with a key that doesn't end with -bin",
        ),
        ([], "wasm-grpc invoke: the following arguments are required: METHOD"),
    ],
    ids=["data", "upper case", "key", "value", "binary", "no method"],
)
async def test_a_wrong_flag(tmp_path: Path, arguments: list[str], error: str) -> None:
    """A wrong flag or a missing file is exit code 2 and one line, before anything is sent."""
    ended = run_command("invoke", *arguments, env={}, cwd=tmp_path)

    assert ended == Ended(2, b"", f"{error}\n")


async def test_check_names_every_engine(
    engine: str, tmp_path: Path, cache_environment: dict[str, str]
) -> None:
    """`check` says of each sound function on which engine and interpreter it can run."""
    functions = write_functions(tmp_path / "functions", {"echo": "", "trap": ""})

    ended = run_command("check", functions, env={**cache_environment, "WASM_GRPC_LOG": "warning"})

    lines = ended.stdout.decode().splitlines()
    assert (ended.code, ended.stderr, len(lines)) == (0, "", 4)
    assert lines[0].startswith("echo: ok (")
    assert f"{engine} " in lines[0]
    assert lines[1] == "  WASI command; imports wasi_snapshot_preview1"
    assert lines[2].startswith("trap: ok (")


async def test_list(tmp_path: Path) -> None:
    """`list --json` says what every function is called by."""
    functions = write_functions(tmp_path / "functions", {"echo": '[limits]\ntimeout = "2s"\n'})

    ended = run_command("list", functions, "--json", env={})

    assert ended.code == 0
    (found,) = json.loads(ended.stdout)
    limits, outcome, dapr = (found.pop(key) for key in ("limits", "outcome", "dapr"))
    assert found == {
        "name": "echo",
        "folder": "echo",
        "module": "echo.wasm",
        "guest": "wasi-command",
        "engine": "auto",
        "memory_bytes": 67108864,
        "timeout_s": 2.0,
        "triggers": ["invoke echo"],
        "secrets": {},
    }
    assert dapr["state"] == []
    assert (limits["timeout_s"], limits["host_calls"]) == (2.0, 1000)
    assert (outcome["rejected"], outcome["then_failed"]) == ("drop", "retry")
