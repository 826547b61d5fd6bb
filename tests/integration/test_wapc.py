"""waPC functions behind the public surface: operations, failures, warm instances, streams, topics."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
import wasmtime
from dapr.proto.runtime.v1 import appcallback_pb2 as pb

from integration.client import Caller, Failure, connect
from integration.commands import run_command
from integration.conftest import StartServer
from integration.guests import assemble
from integration.stream_calls import Header, open_call
from rig import Server
from wasm_grpc.core.model import KIB

__all__ = ["caller", "env", "guests", "server"]

CODES = grpc.StatusCode
GUEST = Path(__file__).parents[1] / "conformance" / "wapc" / "guest.wat"
SUCCESS, DROP = (pb.TopicEventResponse.TopicEventResponseStatus.Value(name) for name in ("SUCCESS", "DROP"))

INVOKE = "".join(
    f'[[trigger.invoke]]\nmethod = "{{name}}/{method}"\n{more}\n'
    for method, more in {
        "read": 'call = "r"',
        "many": 'call = "m"',
        "trap": 'call = "u"',
        "exit": 'call = "x"',
        "limit": 'call = "z"',
        "fail": 'call = "f"',
        "spin": 'call = "j"',
    }.items()
)
FUNCTIONS = {
    "fresh": "[limits]\ntimeout = '2s'\n" + INVOKE.format(name="fresh"),
    "warm": "[limits]\ntimeout = '2s'\n[pool]\nreuse = 'warm'\n" + INVOKE.format(name="warm"),
    "lazy": "[pool]\nreuse = 'warm'\nmin = 0\n" + INVOKE.format(name="lazy"),
    "three": "[pool]\nreuse = 'warm'\nmax_invocations = 3\n" + INVOKE.format(name="three"),
    "which": "".join(
        f'[[trigger.invoke]]\nmethod = "{method}"\n{more}'
        for method, more in {"which": "", "which/*": "", "what/is/it": "", "called": 'call = "w"\n'}.items()
    ),
    "www": '[[trigger.invoke]]\nmethod = "*"\n',
    "echo": "[limits]\nbody = '64KiB'\n" + '[[trigger.invoke]]\nmethod = "echo"\n',
    "page": "response = 'cgi'\n" + '[[trigger.invoke]]\nmethod = "page"\ncall = "e"\n',
    "f-topic": '[[trigger.topic]]\npubsub = "pubsub"\ntopic = "in"\n'
    '[[trigger.topic]]\npubsub = "pubsub"\ntopic = "called"\ncall = "e"\n',
    "bulk": '[pool]\nreuse = "warm"\n[[trigger.invoke]]\nmethod = "bulk/many"\ncall = "m"\n'
    '[[trigger.topic]]\npubsub = "pubsub"\ntopic = "bulk"\ncall = "m"\nbulk = {}\n',
}


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write functions of one module, each with its manifest."""
    folder = tmp_path_factory.mktemp("functions")
    wasm = bytes(wasmtime.wat2wasm(GUEST.read_text()))
    for name, sections in FUNCTIONS.items():
        place = folder / name
        place.mkdir()
        (place / "guest.wasm").write_bytes(wasm)
        (place / "function.toml").write_text(
            f'name = "{name}"\nmodule = "guest.wasm"\nguest = "wapc"\n{sections}'
        )
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(start_server: StartServer, guests: Path) -> AsyncIterator[Server]:
    """Serve them on one worker, so that an invocation gets the instance of the one before it."""
    async with start_server(guests, "--workers", "1", "--max-workers", "1") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("method", "operation"),
    [
        ("which", b"which"),
        ("which/5/lines", b"which"),
        ("what/is/it", b"what/is/it"),
        ("called", b"w"),
        ("any/thing", b"www"),
    ],
)
async def test_an_operation(caller: Caller, method: str, operation: bytes) -> None:
    """It is the trigger's, else the method's name, of a pattern its fixed part, else the function's name."""
    assert (await caller.invoke(method)).body == operation


@pytest.mark.asyncio(loop_scope="module")
async def test_a_failure(caller: Caller) -> None:
    """The caller is told what the guest said."""
    failure = await caller.fail("fresh/fail", b"no such order")

    assert failure == Failure(
        code=CODES.INTERNAL,
        message="function 'fresh': guest failed: no such order",
        reason="EXITED",
        function="fresh",
    )


@pytest.mark.asyncio(loop_scope="module")
async def test_a_fresh_function_remembers_nothing(caller: Caller) -> None:
    """Of no invocation is anything left to the next one."""
    seen = [(await caller.invoke("fresh/read", os.urandom(16))).body for _ in range(20)]

    assert seen == [bytes(16)] * 20


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ["warm", "lazy"])
async def test_a_warm_function_remembers(caller: Caller, name: str) -> None:
    """An invocation sees what the previous one left in memory, with and without instances made ahead."""
    payloads = [os.urandom(16) for _ in range(20)]

    seen = [(await caller.invoke(f"{name}/read", payload)).body for payload in payloads]

    assert seen[1:] == payloads[:-1]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("trap", CODES.INTERNAL),
        ("exit", CODES.INTERNAL),
        ("limit", CODES.INTERNAL),
        ("spin", CODES.DEADLINE_EXCEEDED),
    ],
)
async def test_a_broken_instance_is_not_used_again(
    caller: Caller, method: str, code: grpc.StatusCode
) -> None:
    """After a trap, an exit, a stop and a time limit, the next invocation has another instance."""
    await caller.invoke("warm/read", b"x" * 16)

    failure = await caller.fail(f"warm/{method}", b"\x03")

    assert failure.code is code
    assert (await caller.invoke("warm/read")).body == bytes(16)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_instance_that_says_that_it_failed_is_used_again(caller: Caller) -> None:
    """It has returned, so its memory is as it left it."""
    await caller.invoke("warm/read", b"x" * 16)

    await caller.fail("warm/fail", b"y")

    assert (await caller.invoke("warm/read")).body == b"x" * 16


@pytest.mark.asyncio(loop_scope="module")
async def test_an_instance_retires(caller: Caller) -> None:
    """It serves `max_invocations`, and then there is another one."""
    counts = [(await caller.invoke("three/many")).body for _ in range(7)]

    assert counts == [b"1", b"2", b"3", b"1", b"2", b"3", b"1"]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_stream(caller: Caller) -> None:
    """Its chunks are gathered to one payload, and the response is sent at its end."""
    async with open_call(caller, "echo") as stream:
        await stream.send_all(b"a" * KIB, b"b", b"c" * KIB)
        header = await stream.header()
        body = await stream.rest()

    assert header == Header(content_type="application/octet-stream")
    assert body == b"a" * KIB + b"b" + b"c" * KIB


@pytest.mark.asyncio(loop_scope="module")
async def test_too_long_a_stream(caller: Caller) -> None:
    """It is refused as a body of that length is."""
    async with open_call(caller, "echo") as stream:
        await stream.send_all(bytes(64 * KIB), b"x")
        await stream.header()
        _, failure = await stream.failure()

    assert (failure.code, failure.reason, failure.limit) == (
        CODES.RESOURCE_EXHAUSTED,
        "BODY_TOO_LARGE",
        "limits.body",
    )


@pytest.mark.asyncio(loop_scope="module")
async def test_a_response_with_headers(caller: Caller) -> None:
    """With `response = "cgi"` the response begins with header lines, as a command's does."""
    reply = await caller.invoke("page", b"Content-Type: text/csv\n\na,b")

    assert (reply.content_type, reply.body) == ("text/csv", b"a,b")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("topic", "path", "status"), [("in", "f-topic/0", DROP), ("called", "f-topic/1", SUCCESS)]
)
async def test_a_message(caller: Caller, topic: str, path: str, status: int) -> None:
    """Its operation is the trigger's, else the function's name, which fails here."""
    request = pb.TopicEventRequest(
        id="1",
        source="test",
        type="sent",
        spec_version="1.0",
        data=b"data",
        data_content_type="text/plain",
        pubsub_name="pubsub",
        topic=topic,
        path=path,
    )

    assert (await caller.callback.OnTopicEvent(request)).status == status


@pytest.mark.asyncio(loop_scope="module")
async def test_a_batch(caller: Caller) -> None:
    """The messages of a bulk delivery share a warm instance, each as an invocation of its own."""
    entries = [pb.TopicEventBulkRequestEntry(entry_id=f"{number}", bytes=b"x") for number in range(8)]
    request = pb.TopicEventBulkRequest(entries=entries, pubsub_name="pubsub", topic="bulk", path="bulk/0")

    response = await caller.callback.OnBulkTopicEvent(request)

    assert [each.status for each in response.statuses] == [SUCCESS] * 8
    assert (await caller.invoke("bulk/many")).body == b"9"


@pytest.fixture
def env(cache_environment: dict[str, str]) -> dict[str, str]:
    """Return an environment whose log is what a person sees."""
    return {**cache_environment, "WASM_GRPC_LOG": "warning"}


@pytest.mark.parametrize(
    ("operation", "args", "stdin", "code", "stdout", "errors"),
    [
        ("echo", [], b"body", 0, b"body", []),
        ("echo", ["a text"], b"unread", 0, b"a text", []),
        ("echo", ["bytes:@payload"], b"", 0, b"from a file", []),
        ("which", [""], b"", 0, b"which", []),
        ("print", ["line"], b"", 0, b"", ["lineline"]),
        ("fail", ["no"], b"", 1, b"", ["wasm-grpc run: guest.wasm: guest failed: no"]),
        ("x", ["\x03"], b"", 3, b"", ["wasm-grpc run: guest.wasm: exit code 3"]),
        (
            "jam",
            [
                "",
            ],
            b"",
            124,
            b"",
            ["wasm-grpc run: guest.wasm: ran longer than 1 s"],
        ),
        (
            "h",
            ["{}"],
            b"",
            1,
            b"",
            [
                "wapc: __host_call: binding 'dapr' is unknown; expected one that the function was granted",
                "wasm-grpc run: guest.wasm: guest failed: binding 'dapr' is unknown; "
                "expected one that the function was granted",
            ],
        ),
        (
            "echo",
            ["a", "b"],
            b"",
            125,
            b"",
            ["wasm-grpc run: --call: 2 arguments; expected one, the payload"],
        ),
        (
            "echo",
            ["i32:5"],
            b"",
            125,
            b"",
            ["wasm-grpc run: --call: a waPC payload has no type i32; expected a text or bytes:@FILE"],
        ),
        (
            "echo",
            ["bytes:@missing"],
            b"",
            125,
            b"",
            ["wasm-grpc run: --call: missing: No such file or directory; expected a readable file"],
        ),
    ],
    ids=[
        "standard input",
        "argument",
        "file",
        "empty argument",
        "prints",
        "fails",
        "exits",
        "spins",
        "no Dapr",
        "two arguments",
        "number",
        "missing file",
    ],
)
def test_run_calls_an_operation(
    engine: str,
    env: dict[str, str],
    tmp_path: Path,
    operation: str,
    args: list[str],
    stdin: bytes,
    code: int,
    stdout: bytes,
    errors: list[str],
) -> None:
    """Standard input or the one argument is the payload; the response is standard output."""
    (tmp_path / "guest.wasm").write_bytes(bytes(wasmtime.wat2wasm(GUEST.read_text())))
    (tmp_path / "payload").write_bytes(b"from a file")
    flags = ["--engine", engine, "--timeout", "1s" if operation == "jam" else "20s", "--call", operation]

    ended = run_command("run", *flags, "guest.wasm", *args, env=env, stdin=stdin, cwd=tmp_path)

    assert (ended.code, ended.stdout, ended.errors) == (code, stdout, errors)


@pytest.mark.parametrize(
    ("is_wapc", "flags", "error"),
    [
        (
            True,
            [],
            "module is a waPC guest: it exports '__guest_call'; expected guest = 'wapc' (for `run`: --call)",
        ),
        (
            False,
            ["--call", "f"],
            "module is a command: it exports '_start' and no '__guest_call'; "
            "expected guest = 'wasi-command' (for `run`: no --call)",
        ),
    ],
    ids=["waPC without --call", "command with --call"],
)
def test_run_names_the_other_interface(
    env: dict[str, str], tmp_path: Path, flags: list[str], error: str, *, is_wapc: bool
) -> None:
    """One line says how the module is run."""
    wasm = bytes(wasmtime.wat2wasm(GUEST.read_text())) if is_wapc else assemble("echo")
    (tmp_path / "guest.wasm").write_bytes(wasm)

    ended = run_command("run", "--engine", "wasmtime", *flags, "guest.wasm", env=env, cwd=tmp_path)

    assert ended.stderr.endswith(f"{error}\n")
