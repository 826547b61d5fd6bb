"""What a caller gets back: results, environment, and a clear status for each way to fail."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

from integration.client import Caller, Failure, connect
from integration.conftest import StartServer
from integration.guests import write_function, write_functions
from integration.processes import is_alive, until, worker_pids
from rig import Server
from wasm_grpc.core.model import MIB

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODES = grpc.StatusCode
EXPECTED_CODES = {
    "REJECTED": CODES.INVALID_ARGUMENT,
    "EXITED": CODES.INTERNAL,
    "TRAPPED": CODES.INTERNAL,
    "OUT_OF_MEMORY": CODES.INTERNAL,
    "OUTPUT_LIMIT": CODES.RESOURCE_EXHAUSTED,
    "TIMEOUT": CODES.DEADLINE_EXCEEDED,
    "CPU_LIMIT": CODES.DEADLINE_EXCEEDED,
    "BODY_TOO_LARGE": CODES.RESOURCE_EXHAUSTED,
    "UNKNOWN_METHOD": CODES.NOT_FOUND,
    "VERB_NOT_ALLOWED": CODES.INVALID_ARGUMENT,
}

FUNCTIONS = {
    "echo": '[limits]\nbody = "1MiB"\n',
    "spin": '[limits]\ntimeout = "300ms"\n',
    "allocate": '[limits]\nmemory = "8MiB"\n',
    "flood-stdout": '[limits]\noutput = "1MiB"\n',
    "chatter": "",
    "flood-stderr": "",
    "exit": "",
    "exit-300": "",
    "trap": "",
    "remember": "[pool]\nmax = 1\n",
    "environment": 'content_type = "text/plain"\n[env]\nLOG = "info"\nHTTP_X_OWNER = "the author"\n',
}


def failed(reason: str, function: str, message: str, limit: str = "") -> Failure:
    """Return the failure that a caller is to see, its limit by the key below ``limits``."""
    limit = limit and f"limits.{limit}"
    return Failure(
        code=EXPECTED_CODES[reason], message=message, reason=reason, function=function, limit=limit
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """Serve every guest, on two run slots, as long as this module's tests run."""
    functions = write_functions(tmp_path_factory.mktemp("functions"), FUNCTIONS)
    prefix = '[[trigger.invoke]]\nmethod = "api/image"\nverbs = ["GET", "PUT"]\n'
    prefix += '[[trigger.invoke]]\nmethod = "orders/*"\n'
    write_function(functions, "routes", guest="environment", trigger=prefix)
    write_function(
        functions,
        "endless",
        guest="spin",
        sections='[limits]\ntimeout = "unlimited"\nidle_timeout = "300ms"\n',
    )
    write_function(functions, "query", guest="arguments", sections='args = "query"\n')
    write_function(functions, "cpu", guest="spin", sections='[limits]\ncpu = "200ms"\ntimeout = "15s"\n')
    async with start_server(functions, "--workers", "2", "--max-workers", "4") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


def variables(body: bytes) -> dict[str, str]:
    """Read what the guest `environment` answers."""
    return dict(item.split("=", 1) for item in body.decode().split("\0")[:-1])


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, MIB], ids=lambda size: f"{size} B")
async def test_a_body_comes_back_byte_for_byte(caller: Caller, size: int) -> None:
    """What the guest writes is what the caller gets, up to a body of exactly the limit."""
    body = random.Random(size).randbytes(size)

    reply = await caller.invoke("echo", body)

    assert reply.body == body
    assert reply.content_type == "application/octet-stream"


async def test_concurrent_callers_get_their_own_bytes(caller: Caller) -> None:
    """500 distinct random payloads from 8 callers each come back to the one that sent them."""
    chance = random.Random(4)
    payloads = [chance.randbytes(chance.randrange(1, 20_000)) for _ in range(500)]
    numbers = iter(range(len(payloads)))
    echoes: dict[int, bytes] = {}

    async def call_on() -> None:
        for number in numbers:
            # Far more than may wait: the default queue of 64 is enough for 8 callers.
            echoes[number] = (await caller.invoke("echo", payloads[number])).body

    await asyncio.gather(*(call_on() for _ in range(8)))

    assert [echoes[number] for number in range(len(payloads))] == payloads


async def test_nothing_survives_in_memory(caller: Caller) -> None:
    """A guest finds no byte of the invocation before it in its memory."""
    found = [(await caller.invoke("remember", bytes([number]) * 16)).body for number in range(1, 20)]

    assert found == [bytes(16)] * 19


@pytest.mark.parametrize(
    ("query", "arguments"),
    [("", []), ("a=1&b", ["a=1", "b"]), ("a%20b&&c+d", ["a%20b", "", "c+d"])],
    ids=["none", "two parts", "nothing is decoded"],
)
async def test_the_query_is_the_arguments(caller: Caller, query: str, arguments: list[str]) -> None:
    """With `args = "query"` its parts follow the function's name, as WAGI's modules expect them."""
    reply = await caller.invoke("query", query=query)

    assert reply.body == b"".join(f"{each}\0".encode() for each in ["query", *arguments])


async def test_the_request_is_in_the_environment(caller: Caller) -> None:
    """Verb, query, content type, length and metadata reach the guest as CGI variables; -bin and tokens don't."""
    reply = await caller.invoke(
        "environment",
        b"body",
        verb="PUT",
        query="a=1&b=2",
        content_type="image/png",
        metadata=[
            ("x-request-id", "7"),
            ("x-many", "one"),
            ("x-many", "two"),
            ("dapr-accept", "image/*"),
            ("dapr-caller-app-id", "web"),
            ("proxy", "http://evil.example"),
            ("dapr-api-token", "secret"),
            ("trace-bin", b"\0\1"),
            ("x-owner", "the caller"),
        ],
    )

    seen = variables(reply.body)
    assert seen == {
        "REQUEST_METHOD": "PUT",
        "QUERY_STRING": "a=1&b=2",
        "CONTENT_TYPE": "image/png",
        "CONTENT_LENGTH": "4",
        "PATH_INFO": "",
        "HTTP_X_REQUEST_ID": "7",
        "HTTP_X_MANY": "one, two",
        "HTTP_ACCEPT": "image/*",
        "HTTP_DAPR_CALLER_APP_ID": "web",
        "LOG": "info",
        "HTTP_X_OWNER": "the author",
    }
    assert reply.content_type == "text/plain"


@pytest.mark.parametrize(
    ("method", "verb", "path_info"),
    [
        ("api/image", "GET", ""),
        ("/api/image", "PUT", ""),
        ("orders/5/lines", "POST", "/5/lines"),
        ("orders/5", "NONE", "/5"),
    ],
)
async def test_methods_with_slashes(caller: Caller, method: str, verb: str, path_info: str) -> None:
    """A method may hold slashes; what follows a prefix is PATH_INFO."""
    seen = variables((await caller.invoke(method, verb=verb)).body)

    assert seen["PATH_INFO"] == path_info
    assert seen["REQUEST_METHOD"] == ("POST" if verb == "NONE" else verb)


FAILURES: dict[str, tuple[str, bytes, dict[str, str], Failure]] = {
    "rejected": (
        "exit",
        b"A",
        {},
        failed("REJECTED", "exit", "function 'exit': rejected the input: no picture: expected a PNG"),
    ),
    "exit code": (
        "exit",
        b"\x07",
        {},
        failed("EXITED", "exit", "function 'exit': exit code 7; it said: no picture: expected a PNG"),
    ),
    "large exit code": (
        "exit-300",
        b"",
        {},
        failed("EXITED", "exit-300", "function 'exit-300': exit code 300"),
    ),
    "trap": ("trap", b"", {}, failed("TRAPPED", "trap", "function 'trap': unreachable")),
    "memory": (
        "allocate",
        b"",
        {},
        failed(
            "OUT_OF_MEMORY", "allocate", "function 'allocate': out of memory; 8 of 8 MiB in use", "memory"
        ),
    ),
    "output": (
        "flood-stdout",
        b"",
        {},
        failed(
            "OUTPUT_LIMIT",
            "flood-stdout",
            "function 'flood-stdout': guest wrote over 1 MiB to standard output",
            "output",
        ),
    ),
    "unlimited timeout": (
        "endless",
        b"",
        {},
        failed("TIMEOUT", "endless", "function 'endless': gave no result within 0.3 s", "idle_timeout"),
    ),
    "timeout": (
        "spin",
        b"",
        {},
        failed("TIMEOUT", "spin", "function 'spin': ran longer than 0.3 s", "timeout"),
    ),
    "cpu": (
        "cpu",
        b"",
        {},
        failed("CPU_LIMIT", "cpu", "function 'cpu': used more than 0.2 s of CPU time", "cpu"),
    ),
    "body": (
        "echo",
        bytes(MIB + 1),
        {},
        failed(
            "BODY_TOO_LARGE",
            "echo",
            "function 'echo': body of 1048577 bytes; expected at most 1048576",
            "body",
        ),
    ),
    "unknown method": (
        "ecko",
        b"",
        {},
        failed("UNKNOWN_METHOD", "", "no function serves method 'ecko'; did you mean 'echo'?"),
    ),
    "verb": (
        "api/image",
        b"",
        {"verb": "DELETE"},
        failed(
            "VERB_NOT_ALLOWED",
            "routes",
            "method 'api/image': verb DELETE is not served; expected GET or PUT",
        ),
    ),
    "no verb counts as POST": (
        "api/image",
        b"",
        {"verb": "NONE"},
        failed(
            "VERB_NOT_ALLOWED",
            "routes",
            "method 'api/image': verb POST is not served; expected GET or PUT",
        ),
    ),
}


@pytest.mark.parametrize(("method", "body", "options", "failure"), FAILURES.values(), ids=FAILURES)
async def test_each_failure_has_its_status(
    caller: Caller, method: str, body: bytes, options: dict[str, str], failure: Failure
) -> None:
    """A failed call says what was wrong and what was expected, in its status and in its ErrorInfo."""
    found = await caller.fail(method, body, **options)

    assert found == failure
    assert found.invocation_id
    assert (await caller.invoke("echo", b"next")).body == b"next"


async def test_an_invocation_id_is_unique(caller: Caller) -> None:
    """Each failed call has an id of its own, by which its log line is found."""
    failures = [await caller.fail("trap") for _ in range(5)]

    assert len({failure.invocation_id for failure in failures}) == 5


async def test_a_failure_leaves_one_log_line(server: Server, caller: Caller) -> None:
    """The log has one line for a failure, with the id that the caller got."""
    failure = await caller.fail("trap")

    await server.process.stderr.match(failure.invocation_id)
    lines = [line for line in server.process.stderr.lines if failure.invocation_id in line]
    assert len(lines) == 1
    assert lines[0].endswith(f"invocation {failure.invocation_id}: TRAPPED: function 'trap': unreachable")


async def test_what_a_guest_logs_is_bounded(server: Server, caller: Caller) -> None:
    """Of thousands of lines the last hundred are logged, behind the number of the others."""
    reply = await caller.invoke("chatter", b"body")

    where = rf"function 'chatter' \(invocation {reply.invocation_id}\): "
    await server.process.stderr.match(where + r"… 32668 earlier lines omitted$")
    await caller.invoke("chatter", b"next")
    await server.process.stderr.match(
        where.replace(reply.invocation_id, f"(?!{reply.invocation_id})\\S+") + "…"
    )
    lines = [line for line in server.process.stderr.lines if re.search(where, line)]
    assert reply.body == b"body"
    assert len(lines) == 101
    assert all(line.endswith(": x") for line in lines[1:])


async def test_what_a_guest_logs_is_no_harm(caller: Caller) -> None:
    """64 MiB on standard error neither fail the call nor hold it up."""
    reply = await caller.invoke("flood-stderr")

    assert reply.body == b"done"
    assert reply.invocation_id


async def test_a_body_beyond_what_the_server_receives(caller: Caller) -> None:
    """A message larger than any function takes is refused before it is read."""
    failure = await caller.fail("echo", bytes(8 * MIB))

    assert failure.code is CODES.RESOURCE_EXHAUSTED
    assert (await caller.invoke("echo", b"next")).body == b"next"


async def test_a_hanging_guest_costs_its_worker(server: Server, caller: Caller) -> None:
    """A guest past its time limit is killed with its process, which is reaped and replaced."""
    await until(lambda: len(worker_pids(server.process.pid)) == 3, "two workers and a spare")
    before = set(worker_pids(server.process.pid))

    failure = await caller.fail("spin")

    assert failure.reason == "TIMEOUT"
    killed = [pid for pid in before if not is_alive(pid)]
    assert len(killed) == 1
    await until(lambda: len(worker_pids(server.process.pid)) == 3, "a worker in its place")
    assert (await caller.invoke("echo", b"next")).body == b"next"


@pytest.mark.parametrize("method", ["", "..", "a/../b", "a?b", "a\nb", "x" * 3000, "é" * 2000])
async def test_a_method_of_any_text_is_answered(caller: Caller, method: str) -> None:
    """Whatever the method is, the answer is a status that fits gRPC's metadata."""
    failure = await caller.fail(method)

    assert failure.code in (CODES.NOT_FOUND, CODES.INVALID_ARGUMENT)
    assert len(failure.message.encode()) < 4096
    assert "\n" not in failure.message


async def test_a_connection_that_says_nothing_is_no_error(server: Server, caller: Caller) -> None:
    """Connections opened and closed at once, as daprd probes the port, are neither failures nor logged."""
    host, port = server.host, server.port
    # Lines are written in their order, but not at once: with this one all of the tests before are there.
    await server.process.stderr.match((await caller.fail("trap")).invocation_id)
    lines = len(server.process.stderr.lines)

    for _ in range(50):
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
        await writer.wait_closed()

    assert (await caller.invoke("echo", b"next")).body == b"next"
    failure = await caller.fail("trap")
    await server.process.stderr.match(failure.invocation_id)
    assert len(server.process.stderr.lines) == lines + 1
