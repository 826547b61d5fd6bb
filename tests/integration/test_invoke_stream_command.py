"""`wasm-grpc invoke --stream`: a body through a real function, both flowing."""

from __future__ import annotations

import array
import asyncio
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
import pytest_asyncio

from integration.commands import Ended, run_command
from integration.conftest import StartServer
from integration.guests import write_function, write_functions
from integration.processes import until
from rig import Server, free_port
from rig.environment import clean_environment

pytestmark = pytest.mark.asyncio(loop_scope="module")

FLOWING = '[limits]\ntimeout = "unlimited"\noutput = "unlimited"\n'
DEADLINE_S = 10


@pytest.fixture(autouse=True)
def _heeded_ctrl_c() -> Iterator[None]:
    """Let commands heed Ctrl-C also where these tests run in a shell's background, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """Serve with a token, as long as this module's tests run."""
    functions = write_functions(
        tmp_path_factory.mktemp("functions"),
        {"echo": FLOWING, "flood-stdout": FLOWING, "act": "", "exit": "", "environment": "", "trap": ""},
    )
    write_function(functions, "held", guest="echo", sections=FLOWING)
    write_function(functions, "short", guest="echo", sections='[limits]\noutput = "4KiB"\n')
    async with start_server(functions, "--workers", "2", env={"APP_API_TOKEN": "secret"}) as running:
        yield running


def invoke(server: Server, *arguments: str | Path, stdin: bytes = b"", token: str = "secret") -> Ended:
    """Run ``wasm-grpc invoke --stream`` with these arguments and the server's address."""
    address = ("--stream", "--address", server.address)
    return run_command("invoke", *arguments, *address, env={"APP_API_TOKEN": token}, stdin=stdin)


@contextmanager
def invoking(
    server: Server,
    *arguments: str | Path,
    stdin: int = subprocess.PIPE,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the same command, its streams pipes unless others are given; it ends with the block."""
    command = [sys.executable, "-m", "wasm_grpc", "invoke", "--stream", "--address", server.address]
    environment = clean_environment({"APP_API_TOKEN": "secret"})
    with subprocess.Popen(
        [*command, *map(str, arguments)],
        bufsize=0,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    """Return how a command ended, and what it said on standard error."""
    assert process.stderr is not None
    return process.wait(DEADLINE_S), process.stderr.read()


def write(process: subprocess.Popen[bytes], piece: bytes) -> None:
    """Return a command more of its standard input, which stays open."""
    assert process.stdin is not None
    process.stdin.write(piece)


def read(process: subprocess.Popen[bytes], size: int) -> bytes:
    """Take so many bytes of a command's standard output, as soon as they are there."""
    assert process.stdout is not None
    taken = b""
    while len(taken) < size and (chunk := process.stdout.read(size - len(taken))):
        taken += chunk
    return taken


def is_full(pipe: IO[bytes] | None) -> bool:
    """Say whether a pipe has no room for a page more (Linux's `pipe(7)`)."""
    assert pipe is not None
    waiting = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    return waiting[0] > fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) - 4096 * 2


def has_size(path: Path, size: int) -> bool:
    """Say whether a file is there and has so many bytes."""
    return path.exists() and path.stat().st_size >= size


async def has_logged(server: Server, pattern: str) -> None:
    """Wait for a line of the server's log."""
    await asyncio.wait_for(server.process.stderr.match(pattern), DEADLINE_S)


async def test_standard_input_to_standard_output(server: Server) -> None:
    """The body is standard input and the result standard output, of any size, and nothing else is said."""
    body = os.urandom(3_000_000)

    assert invoke(server, "echo", stdin=body) == Ended(0, body, "")


async def test_no_input(server: Server) -> None:
    """An empty standard input is an empty body."""
    assert invoke(server, "echo") == Ended(0, b"", "")


async def test_file_to_file(server: Server, tmp_path: Path) -> None:
    """--data and --output name files; what was there is replaced, and a link stays one."""
    body = os.urandom(300_000)
    (tmp_path / "in").write_bytes(body)
    (tmp_path / "out").write_bytes(b"old")
    (tmp_path / "out").chmod(0o640)
    (tmp_path / "link").symlink_to("out")

    called = invoke(server, "echo", "--data", tmp_path / "in", "--output", tmp_path / "link")

    assert called == Ended(0, b"", "")
    assert (tmp_path / "out").read_bytes() == body
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "link", "out"]
    assert (tmp_path / "link").is_symlink()


async def test_what_flags_send(server: Server) -> None:
    """Verb, query, content type and headers reach the guest."""
    flags = ["--verb", "PUT", "--query", "a=1", "--content-type", "text/plain", "--header", "x-a=b=c"]

    called = invoke(server, "environment", *flags)

    variables = set(called.stdout.decode().split("\0"))
    assert variables >= {"REQUEST_METHOD=PUT", "QUERY_STRING=a=1", "CONTENT_TYPE=text/plain", "HTTP_X_A=b=c"}


async def test_an_app_is_called_by_its_id(server: Server) -> None:
    """With --app-id the address and the token are the sidecar's; here the server stands for it."""
    env = {"DAPR_GRPC_ENDPOINT": server.address, "DAPR_API_TOKEN": "secret", "APP_API_TOKEN": "other"}

    called = run_command("invoke", "echo", "--stream", "--app-id", "images", env=env, stdin=b"abc")

    assert called == Ended(0, b"abc", "")


async def test_the_result_comes_before_the_input_ends(server: Server) -> None:
    """What the function writes is there while its input goes on."""
    with invoking(server, "echo") as process:
        for piece in (b"first\n", b"second\n"):
            write(process, piece)
            assert read(process, len(piece)) == piece
        process.stdin.close()  # type: ignore[union-attr] # it is a pipe

        assert ended(process) == (0, b"")


async def test_a_function_that_has_enough(server: Server) -> None:
    """A function may end before its input does: that is no failure, and the input isn't waited for."""
    with invoking(server, "act") as process:
        write(process, b"abc")

        assert ended(process) == (0, b"")
        assert read(process, 100) == b"abc"


@pytest.mark.parametrize(
    ("arguments", "stdin", "error"),
    [
        (["ecko"], b"", "NOT_FOUND: no function serves method 'ecko'; did you mean 'echo'?"),
        (["exit"], b"A", "INVALID_ARGUMENT: function 'exit': rejected the input: no picture: expected a PNG"),
        (["trap"], b"", "INTERNAL: function 'trap': unreachable"),
    ],
    ids=["unknown method", "rejected", "trap"],
)
async def test_a_call_that_fails(
    server: Server, tmp_path: Path, arguments: list[str], stdin: bytes, error: str
) -> None:
    """A failed call is exit code 1 and one line, CODE: message; where nothing came, no file is left."""
    called = invoke(server, *arguments, "--output", tmp_path / "out", stdin=stdin)

    assert called == Ended(1, b"", f"{error}\n")
    assert list(tmp_path.iterdir()) == []


async def test_a_call_that_fails_halfway(server: Server, tmp_path: Path) -> None:
    """The file of a result that isn't whole keeps its old contents; the line says where the part is."""
    out, part = tmp_path / "out", tmp_path / "out.part"
    out.write_bytes(b"old")
    with invoking(server, "short", "--output", out) as process:
        write(process, b"a" * 1000)
        await until(lambda: has_size(part, 1000), "the first part of the result")
        write(process, b"b" * 5000)

        code, said = ended(process)

    assert code == 1
    line = "RESOURCE_EXHAUSTED: function 'short': guest wrote over 4 KiB to standard output"
    assert said.decode() == f"{line}; the partial result is in {out}.part\n"
    assert out.read_bytes() == b"old"
    assert part.read_bytes().startswith(b"a" * 1000)


async def test_a_call_that_fails_after_its_output(server: Server) -> None:
    """What came before the failure is on standard output."""
    with invoking(server, "short") as process:
        write(process, b"a" * 1000)
        assert read(process, 1000) == b"a" * 1000
        write(process, b"b" * 5000)

        assert ended(process)[0] == 1


async def test_a_timeout(server: Server) -> None:
    """--timeout ends the call, whatever the input does."""
    with invoking(server, "echo", "--timeout", "1500ms") as process:
        write(process, b"a")
        assert read(process, 1) == b"a"

        code, said = ended(process)

    assert (code, len(said.splitlines())) == (1, 1)
    assert said.startswith(b"DEADLINE_EXCEEDED: ")
    assert b"Deadline Exceeded" in said


async def test_the_token_comes_from_the_environment(server: Server) -> None:
    """Without APP_API_TOKEN the server's own refusal is told."""
    called = invoke(server, "echo", token="")

    assert called == Ended(
        1,
        b"",
        "UNAUTHENTICATED: metadata dapr-api-token: missing or wrong; "
        "expected the token of this app (APP_API_TOKEN)\n",
    )


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--address"], "a running `wasm-grpc serve`"),
        (["--app-id", "images"], "a Dapr sidecar; DAPR_GRPC_PORT names its port"),
    ],
    ids=["server", "sidecar"],
)
async def test_nobody_answers(flags: list[str], expected: str) -> None:
    """Where nobody answers the line says what was expected there."""
    port = str(free_port())
    address = f"127.0.0.1:{port}"
    flags = [*flags, address] if flags == ["--address"] else flags

    called = run_command("invoke", "echo", "--stream", *flags, env={"DAPR_GRPC_PORT": port})

    assert called == Ended(1, b"", f"UNAVAILABLE: nothing answers at {address}; expected {expected}\n")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--data", "missing"], "--data missing: No such file or directory; expected a readable file"),
        (["--data", "."], "--data .: Is a directory; expected a readable file"),
        (
            ["--output", "missing/file"],
            "--output missing/file: No such file or directory; expected a writable file",
        ),
        (["--output", "."], "--output .: Is a directory; expected a writable file"),
        (["--header", "X-A=b"], "argument --header: 'X-A=b' is not a header; expected"),
        (["--app-id", ""], "--app-id: is empty; expected the id of an app"),
        (["--address", "ftp://host"], "address: 'ftp://host' is not an endpoint (invalid scheme 'ftp'"),
    ],
    ids=["no file", "folder", "no folder", "output folder", "header", "app id", "address"],
)
async def test_a_wrong_flag(tmp_path: Path, arguments: list[str], error: str) -> None:
    """A wrong flag or a missing file is exit code 2 and one line, before anything is sent."""
    called = run_command("invoke", "echo", "--stream", *arguments, env={}, cwd=tmp_path)

    assert (called.code, called.stdout, len(called.errors)) == (2, b"", 1)
    assert called.errors[0].startswith(f"wasm-grpc invoke: {error}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["--output", "/dev/full"]], ids=["standard output", "device"])
async def test_a_result_that_cannot_be_written(server: Server, arguments: list[str]) -> None:
    """A full disk is one line that says what is full; a device is written to, and stays one."""
    with Path("/dev/full").open("wb") as full, invoking(server, "echo", *arguments, stdout=full) as process:
        write(process, b"a")

        code, said = ended(process)

    name = " ".join(arguments) or "standard output"
    assert (code, said.decode()) == (1, f"wasm-grpc invoke: {name}: No space left on device\n")
    assert Path("/dev/full").is_char_device()


async def test_ctrl_c(server: Server, tmp_path: Path) -> None:
    """Ctrl-C stops the function and says nothing; what came before it is kept."""
    part = tmp_path / "out.part"
    with invoking(server, "held", "--output", tmp_path / "out") as process:
        write(process, b"abc")
        await until(lambda: has_size(part, 3), "the first part of the result")

        process.send_signal(signal.SIGINT)

        assert ended(process) == (130, b"")
    assert part.read_bytes() == b"abc"
    assert not (tmp_path / "out").exists()
    await has_logged(server, "CANCELLED: method 'held': the caller is gone")


async def test_ctrl_c_before_anything_came(server: Server, tmp_path: Path) -> None:
    """Where nothing had come, nothing is left."""
    with invoking(server, "echo", "--output", tmp_path / "out") as process:
        await until((tmp_path / "out.part").exists, "the file of the result")

        process.send_signal(signal.SIGINT)

        assert ended(process) == (130, b"")
    assert list(tmp_path.iterdir()) == []


async def test_ctrl_c_while_the_result_waits(server: Server) -> None:
    """Whoever has asked for the result and doesn't take it keeps no Ctrl-C from its work."""
    with invoking(server, "flood-stdout") as process:
        assert process.stdout is not None
        assert read(process, 1) != b""
        await until(lambda: is_full(process.stdout), "a result that waits")

        process.send_signal(signal.SIGINT)

        assert ended(process) == (130, b"")


async def test_nobody_reads_the_result(server: Server) -> None:
    """`… | head` ends the call, quietly."""
    with invoking(server, "flood-stdout") as process:
        assert process.stdout is not None
        read(process, 10)
        process.stdout.close()

        assert ended(process) == (1, b"")
    await has_logged(server, "CANCELLED: method 'flood-stdout': the caller is gone")


async def test_a_terminal_is_read_live(server: Server) -> None:
    """What is typed on a terminal goes out line by line, until Ctrl-D."""
    terminal, program_side = pty.openpty()
    with invoking(server, "echo", stdin=program_side) as process:
        os.close(program_side)
        os.write(terminal, b"typed\n")
        assert read(process, 6) == b"typed\n"
        os.write(terminal, b"\x04")

        assert ended(process) == (0, b"")
    os.close(terminal)


async def test_progress_on_a_terminal(server: Server) -> None:
    """A terminal shows how far the call is, on one line that is gone at the end."""
    terminal, program_side = pty.openpty()
    with invoking(server, "echo", stderr=program_side) as process:
        os.close(program_side)
        write(process, b"a" * 2048)
        assert read(process, 2048) == b"a" * 2048
        shown = b""
        while b"sent 2.0 KiB" not in shown or b"received 2.0 KiB" not in shown:
            shown += os.read(terminal, 1024)
        process.stdin.close()  # type: ignore[union-attr] # it is a pipe
        code = process.wait(DEADLINE_S)
        shown += os.read(terminal, 1024)
    os.close(terminal)

    assert code == 0
    assert shown.startswith(b"\r\x1b[Ksent ")
    assert shown.endswith(b"\r\x1b[K")
    assert b"\n" not in shown


@pytest.mark.parametrize("is_typed", [False, True], ids=["shown", "typed"])
async def test_no_progress_beside_what_a_person_sees(server: Server, *, is_typed: bool) -> None:
    """Where the same terminal shows the result, or what is typed, there is no progress in it."""
    terminal, program_side = pty.openpty()
    stdin, stdout = (program_side, subprocess.PIPE) if is_typed else (subprocess.PIPE, program_side)
    with invoking(server, "echo", stdin=stdin, stdout=stdout, stderr=program_side) as process:
        os.close(program_side)
        if is_typed:
            os.write(terminal, b"abc\n\x04")
        else:
            write(process, b"abc\n")
            process.stdin.close()  # type: ignore[union-attr] # it is a pipe
        code = process.wait(DEADLINE_S)

    assert code == 0
    assert os.read(terminal, 1024) == b"abc\r\n"
    os.close(terminal)
