"""wasmedge-bindgen functions behind the public surface: triggers, failures, warm instances, `run --call`."""

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
from integration.stream_calls import Header, open_call
from rig import Server
from wasm_grpc.core.model import KIB

__all__ = ["caller", "env", "guests", "server"]

CODES = grpc.StatusCode
GUESTS = Path(__file__).parents[1] / "conformance" / "bindgen" / "guests"
SUCCESS = pb.TopicEventResponse.TopicEventResponseStatus.Value("SUCCESS")

HANGS = """(module
  (memory (export "memory") 1)
  (func (export "allocate") (param i32) (result i32) (loop (br 0)) (i32.const 0))
  (func (export "deallocate") (param i32 i32))
  (func (export "echo") (param i32 i32) (result i32) (i32.const 0)))"""


def _invoke(name: str, *functions: str) -> str:
    return "".join(
        f'[[trigger.invoke]]\nmethod = "{name}/{function}"\ncall = "{function}"\n' for function in functions
    )


SEVERAL = ("echo", "echo_text", "calls", "fail", "two", "panic", "missing", "no_argument", "same_i16s")
FUNCTIONS = {
    **{
        f"v{version.replace('.', '-')}": (version, _invoke(f"v{version.replace('.', '-')}", *SEVERAL))
        for version in ("0.1.8", "0.1.13", "0.4.1")
    },
    "warm": ("0.4.1", "[pool]\nreuse = 'warm'\nmax_invocations = 3\n" + _invoke("warm", *SEVERAL)),
    "named": (
        "0.1.13",
        'content_type = "image/png"\n[limits]\nbody = "64KiB"\n'
        '[[trigger.invoke]]\nmethod = "echo"\n[[trigger.invoke]]\nmethod = "echo_text/*"\n',
    ),
    "first": ("0.1.0-text", '[[trigger.invoke]]\nmethod = "first"\ncall = "run_e"\n'),
    "events": (
        "0.4.1",
        '[pool]\nreuse = "warm"\n'
        '[[trigger.topic]]\npubsub = "pubsub"\ntopic = "in"\ncall = "calls"\n'
        '[[trigger.binding]]\nname = "no_argument"\n' + _invoke("events", "calls"),
    ),
    "hangs": ("", "[limits]\ntimeout = '1s'\n" + _invoke("hangs", "echo")),
}


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write functions of several versions, each with its manifest."""
    folder = tmp_path_factory.mktemp("functions")
    for name, (version, sections) in FUNCTIONS.items():
        place = folder / name
        place.mkdir()
        wasm = (GUESTS / f"{version}.wasm").read_bytes() if version else bytes(wasmtime.wat2wasm(HANGS))
        (place / "guest.wasm").write_bytes(wasm)
        (place / "function.toml").write_text(
            f'name = "{name}"\nmodule = "guest.wasm"\nguest = "wasmedge-bindgen"\n{sections}'
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
    ("method", "content_type"),
    [
        ("v0-1-8/echo", "application/octet-stream"),
        ("v0-1-13/echo", "application/octet-stream"),
        ("v0-4-1/echo", "application/octet-stream"),
        ("v0-4-1/echo_text", "text/plain; charset=utf-8"),
        ("echo", "image/png"),
        ("echo_text/5", "image/png"),
        ("first", "application/octet-stream"),
        ("warm/echo", "application/octet-stream"),
    ],
)
async def test_the_body_is_the_argument(caller: Caller, method: str, content_type: str) -> None:
    """It comes back; its type is the manifest's, or what the function returned."""
    body = os.urandom(30 * KIB).hex().encode()

    reply = await caller.invoke(method, body)

    assert (reply.body, reply.content_type) == (body, content_type)


@pytest.mark.asyncio(loop_scope="module")
async def test_an_empty_array(caller: Caller) -> None:
    """What is no text and no bytes becomes JSON."""
    reply = await caller.invoke("v0-4-1/same_i16s")

    assert (reply.body, reply.content_type) == (b"[]", "application/json")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", ["v0-1-8", "v0-1-13", "v0-4-1"])
@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("fail", "guest failed: body"),
        ("two", "guest failed: Invalid params count, expect 2, got 1"),
        ("missing", "guest failed: it exports no function 'missing' of wasmedge-bindgen"),
    ],
)
async def test_a_failure(caller: Caller, name: str, function: str, message: str) -> None:
    """The caller is told what the guest said, or what is wrong with the manifest."""
    failure = await caller.fail(f"{name}/{function}", b"body")

    assert failure == Failure(
        code=CODES.INTERNAL, message=f"function '{name}': {message}", reason="EXITED", function=name
    )


@pytest.mark.asyncio(loop_scope="module")
async def test_a_panic(caller: Caller) -> None:
    """The caller is told its text, which the guest wrote to standard error."""
    failure = await caller.fail("v0-4-1/panic", b"over the edge")

    assert (failure.code, failure.reason) == (CODES.INTERNAL, "TRAPPED")
    assert "panicked at 'over the edge'" in failure.message


@pytest.mark.asyncio(loop_scope="module")
async def test_a_guest_that_hangs(caller: Caller) -> None:
    """An allocator that never returns is stopped as a function is."""
    failure = await caller.fail("hangs/echo", b"x")

    assert failure.code is CODES.DEADLINE_EXCEEDED


@pytest.mark.asyncio(loop_scope="module")
async def test_a_fresh_function_remembers_nothing(caller: Caller) -> None:
    """Each invocation has memory of its own."""
    assert [(await caller.invoke("v0-1-13/calls")).body for _ in range(5)] == [b"1"] * 5


@pytest.mark.asyncio(loop_scope="module")
async def test_a_warm_function_retires(caller: Caller) -> None:
    """An instance serves `max_invocations`, and none after a panic."""
    await caller.fail("warm/panic", b"x")
    counts = [(await caller.invoke("warm/calls")).body for _ in range(4)]
    await caller.fail("warm/panic", b"x")

    counts.append((await caller.invoke("warm/calls")).body)

    assert counts == [b"1", b"2", b"3", b"1", b"1"]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_stream(caller: Caller) -> None:
    """Its chunks are gathered to one argument, and the result is sent at its end."""
    async with open_call(caller, "echo") as stream:
        await stream.send_all(b"a" * KIB, b"b", b"c" * KIB)
        header = await stream.header()
        body = await stream.rest()

    assert header == Header(content_type="image/png")
    assert body == b"a" * KIB + b"b" + b"c" * KIB


@pytest.mark.asyncio(loop_scope="module")
async def test_too_long_a_stream(caller: Caller) -> None:
    """It is refused as a body of that length is."""
    async with open_call(caller, "echo") as stream:
        await stream.send_all(bytes(64 * KIB), b"x")
        await stream.header()
        _, failure = await stream.failure()

    assert (failure.code, failure.reason) == (CODES.RESOURCE_EXHAUSTED, "BODY_TOO_LARGE")


@pytest.mark.asyncio(loop_scope="module")
async def test_events(caller: Caller) -> None:
    """A message without data, and an event of a binding, call a function that takes nothing."""
    message = pb.TopicEventRequest(
        id="1",
        source="test",
        type="sent",
        spec_version="1.0",
        data_content_type="text/plain",
        pubsub_name="pubsub",
        topic="in",
        path="events/0",
    )

    statuses = [(await caller.callback.OnTopicEvent(message)).status for _ in range(2)]
    response = await caller.callback.OnBindingEvent(pb.BindingEventRequest(name="no_argument"))

    assert statuses == [SUCCESS, SUCCESS]
    assert response.data == b"no argument"
    assert (await caller.invoke("events/calls")).body == b"3"


@pytest.fixture
def env(cache_environment: dict[str, str]) -> dict[str, str]:
    """Return an environment whose log is what a person sees."""
    return {**cache_environment, "WASM_GRPC_LOG": "warning"}


RUNS: dict[str, tuple[str, str, list[str], bytes, int, bytes, list[str]]] = {
    "standard input": ("0.4.1", "echo", [], b"\0body", 0, b"\0body", []),
    "a text": ("0.1.13", "echo_text", ["http://x"], b"unread", 0, b"http://x", []),
    "a file": ("0.1.8", "echo", ["bytes:@payload"], b"", 0, b"from a file", []),
    "a number": ("0.4.1", "same_f64", ["f64:1.5"], b"", 0, b"1.5\n", []),
    "a truth": ("0.1.13", "same_bool", ["bool:true"], b"", 0, b"true\n", []),
    "a character": ("0.1.13", "same_char", ["char:x"], b"", 0, b"x\n", []),
    "an array": ("0.4.1", "same_u32s", ["u32[]:1,4294967295"], b"", 0, b"[1,4294967295]", []),
    "several": ("0.1.14", "two", ["string:i32:5", "i32:-5"], b"", 0, b"i32:5 -5", []),
    "the first version": ("0.1.0-text", "run_e", ["a text"], b"", 0, b"a text", []),
    "no argument": ("0.4.1", "no_argument", [], b"", 0, b"no argument", []),
    "prints": ("0.4.1", "print", ["line"], b"", 0, b"hi", ["out lineerr line"]),
    "fails": ("0.4.1", "fail", ["no"], b"", 1, b"", ["wasm-grpc run: guest.wasm: guest failed: no"]),
    "too few": (
        "0.4.1",
        "two",
        ["x"],
        b"",
        1,
        b"",
        ["wasm-grpc run: guest.wasm: guest failed: Invalid params count, expect 2, got 1"],
    ),
    "no such function": (
        "0.1.13",
        "nosuch",
        ["x"],
        b"",
        1,
        b"",
        ["wasm-grpc run: guest.wasm: guest failed: it exports no function 'nosuch' of wasmedge-bindgen"],
    ),
    "no number": (
        "0.4.1",
        "two",
        ["x", "i32:five"],
        b"",
        125,
        b"",
        ["wasm-grpc run: --call: i32: 'five'; expected a whole number from -2147483648 to 2147483647"],
    ),
}
"""Version, function, arguments, standard input; exit code, standard output, lines on standard error."""


@pytest.mark.parametrize("name", RUNS)
def test_run_calls_a_function(engine: str, env: dict[str, str], tmp_path: Path, name: str) -> None:
    """`run` finds out how the module is called; its arguments are texts or typed, or standard input is the one."""
    version, function, args, stdin, code, stdout, errors = RUNS[name]
    (tmp_path / "guest.wasm").write_bytes((GUESTS / f"{version}.wasm").read_bytes())
    (tmp_path / "payload").write_bytes(b"from a file")
    flags = ["--engine", engine, "--timeout", "20s", "--env", "GREETING=hi", "--call", function]

    ended = run_command("run", *flags, "guest.wasm", *args, env=env, stdin=stdin, cwd=tmp_path)

    assert (ended.code, ended.stdout, ended.errors) == (code, stdout, errors)


def test_run_without_call(env: dict[str, str], tmp_path: Path) -> None:
    """One line says how the module is run."""
    (tmp_path / "guest.wasm").write_bytes((GUESTS / "0.1.13.wasm").read_bytes())

    ended = run_command("run", "--engine", "wasmtime", "guest.wasm", env=env, cwd=tmp_path)

    assert ended.errors == [
        "wasm-grpc run: guest.wasm: module is built with wasmedge-bindgen 0.1.11 to 0.1.14; "
        "expected guest = 'wasmedge-bindgen' (for `run`: --call)"
    ]


def test_check_takes_it(env: dict[str, str], guests: Path) -> None:
    """Every version compiles, on every engine that is here."""
    ended = run_command("check", str(guests), env=env)

    assert (ended.code, ended.errors) == (0, [])
