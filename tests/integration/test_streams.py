"""Streams through the public surface: the headers, chunks that flow both ways, and each call's own bytes."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Mapping

import grpc
import pytest
import pytest_asyncio

from integration.client import Caller, Failure, connect
from integration.conftest import StartServer
from integration.guests import write_function, write_functions
from integration.processes import worker_pids
from integration.stream_calls import Header, StreamCall, chunk_message, header_message, open_call
from rig import Server
from wasm_grpc.core.model import KIB, MIB
from wasm_grpc.v1 import functions_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODES = grpc.StatusCode
PLAIN = Header(content_type="application/octet-stream")
UNLIMITED = '[limits]\ntimeout = "unlimited"\noutput = "unlimited"\n'
THEN = 'then = { publish = { pubsub = "pubsub", topic = "done" } }\n'

FUNCTIONS = {
    "echo": UNLIMITED,
    "environment": 'content_type = "text/plain"\n[env]\nLOG = "info"\nHTTP_X_OWNER = "the author"\n',
    "obey": "",
    "deaf": "",
    "gush": UNLIMITED,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """Serve on one run slot, as long as this module's tests run."""
    functions = write_functions(tmp_path_factory.mktemp("functions"), FUNCTIONS)
    trigger = '[[trigger.invoke]]\nmethod = "orders/*"\nverbs = ["GET", "PUT"]\n'
    write_function(functions, "routes", guest="environment", trigger=trigger)
    trigger = f'[[trigger.invoke]]\nmethod = "published"\n{THEN}'
    write_function(functions, "published", guest="echo", trigger=trigger)
    async with start_server(functions, "--workers", "1", "--max-workers", "4") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def caller(server: Server) -> AsyncIterator[Caller]:
    """Open a channel to the server."""
    async with connect(server.address) as channel:
        yield channel


async def echo(caller: Caller, *pieces: bytes) -> bytes:
    """Send pieces through `echo` while reading, and return what comes back."""
    async with open_call(caller, "echo") as stream:
        sending = asyncio.ensure_future(stream.send_all(*pieces))
        assert await stream.header() == PLAIN
        echoed = await stream.rest()
        await sending
    return echoed


def cut(chance: random.Random, payload: bytes) -> tuple[bytes, ...]:
    """Cut a payload into pieces of any size, empty ones among them."""
    cuts = sorted(chance.choices(range(len(payload) + 1), k=chance.randrange(1, 40)))
    return tuple(payload[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(payload)], strict=True))


async def variables(stream: StreamCall) -> dict[str, str]:
    """Read what the guest `environment` answers."""
    body = (await stream.rest()).decode()
    return dict(item.split("=", 1) for item in body.split("\0")[:-1])


async def test_the_header_is_in_the_environment(caller: Caller) -> None:
    """Its fields are CGI variables, no length among them; its metadata stands before the call's of that key."""
    async with open_call(
        caller,
        "environment",
        verb="PUT",
        query="a=1&b=2",
        content_type="image/png",
        metadata={
            "x-request-id": "header",
            "x-trace.part": "7",
            "dapr_caller_app_id": "admin",
            "dapr.caller.app.id": "admin",
            "proxy": "evil",
            "content-length": "9",
        },
        call_metadata=[
            ("x-request-id", "call"),
            ("x-request-id", "call again"),
            ("x-call", "one"),
            ("x-owner", "the caller"),
            ("dapr-caller-app-id", "web"),
            ("trace-bin", b"\0\1"),
        ],
    ) as stream:
        assert await stream.header() == Header(content_type="text/plain")
        seen = await variables(stream)

    assert seen == {
        "REQUEST_METHOD": "PUT",
        "QUERY_STRING": "a=1&b=2",
        "CONTENT_TYPE": "image/png",
        "PATH_INFO": "",
        "HTTP_X_REQUEST_ID": "header",
        "HTTP_X_CALL": "one",
        "HTTP_DAPR_CALLER_APP_ID": "web",
        "LOG": "info",
        "HTTP_X_OWNER": "the author",
    }


@pytest.mark.parametrize(
    ("method", "verb", "expected"),
    [
        ("environment", "", {"REQUEST_METHOD": "POST", "PATH_INFO": ""}),
        ("orders/5/lines", "GET", {"REQUEST_METHOD": "GET", "PATH_INFO": "/5/lines"}),
        ("/orders/5", "PUT", {"REQUEST_METHOD": "PUT", "PATH_INFO": "/5"}),
    ],
)
async def test_methods_and_verbs(caller: Caller, method: str, verb: str, expected: Mapping[str, str]) -> None:
    """Methods are routed as those of any call; no verb is POST."""
    async with open_call(caller, method, verb=verb) as stream:
        await stream.header()
        seen = await variables(stream)

    assert {name: seen[name] for name in expected} == expected


def refused(message: str, *, reason: str = "INVALID_REQUEST", function: str = "") -> Failure:
    """Return the failure of a stream that is not begun."""
    code = CODES.NOT_FOUND if reason == "UNKNOWN_METHOD" else CODES.INVALID_ARGUMENT
    return Failure(code=code, message=message, reason=reason, function=function)


REFUSED: dict[str, tuple[list[pb.InvokeRequest], Failure]] = {
    "no message": ([], refused("no message came; expected a header with the method, then chunks")),
    "chunk first": (
        [chunk_message(b"abc")],
        refused("the first message has no header; expected a header with the method, then chunks"),
    ),
    "empty message": (
        [pb.InvokeRequest()],
        refused("the first message has no header; expected a header with the method, then chunks"),
    ),
    "unknown verb": (
        [header_message("echo", verb="FETCH")],
        refused(
            "header: verb 'FETCH' is unknown; expected "
            "GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH or nothing"
        ),
    ),
    "verb that is not served": (
        [header_message("orders/1", verb="DELETE")],
        refused(
            "method 'orders/1': verb DELETE is not served; expected GET or PUT",
            reason="VERB_NOT_ALLOWED",
            function="routes",
        ),
    ),
    "unknown method": (
        [header_message("ecko")],
        refused("no function serves method 'ecko'; did you mean 'echo'?", reason="UNKNOWN_METHOD"),
    ),
    "no method": (
        [header_message("")],
        refused(
            "no function serves method ''; "
            "expected 'deaf', 'echo', 'environment', 'gush', 'obey', 'orders/*' or 'published'",
            reason="UNKNOWN_METHOD",
        ),
    ),
    "then": (
        [header_message("published")],
        refused(
            "function 'published': its result is sent on by `then`, which needs it whole; "
            "expected a call that is not a stream",
            function="published",
        ),
    ),
    "key of daprd": (
        [header_message("echo", metadata={"dapr-caller-app-id": "web"})],
        refused(
            "header: metadata 'dapr-caller-app-id' is reserved; expected a key without dapr-, grpc- or -bin"
        ),
    ),
    "key of gRPC": (
        [header_message("echo", metadata={"grpc-timeout": "1"})],
        refused("header: metadata 'grpc-timeout' is reserved; expected a key without dapr-, grpc- or -bin"),
    ),
    "binary key": (
        [header_message("echo", metadata={"trace-bin": "1"})],
        refused("header: metadata 'trace-bin' is reserved; expected a key without dapr-, grpc- or -bin"),
    ),
    **{
        f"key {key!r}": (
            [header_message("echo", metadata={key: "1"})],
            refused(
                f"header: metadata {key!r} is not a valid key; expected lower-case letters, digits, '-', '_' and '.'"
            ),
        )
        for key in ("", "X-Upper", "x y", "x=y", ":path", "x\n", "ä")
    },
    **{
        f"value {value!r}": (
            [header_message("echo", metadata={"x-key": value})],
            refused(
                "header: metadata 'x-key' has a control character in its value; expected text without one"
            ),
        )
        for value in ("a\nb", "a\0b", "\x7f", "\x1f")
    },
    "too much metadata": (
        [header_message("echo", metadata={"x-key": "v" * (64 * KIB - 4)})],
        refused("header: metadata is too long; expected at most 65536 characters"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_refused_before_it_runs(caller: Caller, name: str) -> None:
    """A stream whose first message won't do ends at once, with a status and no message."""
    messages, expected = REFUSED[name]

    async with open_call(caller, None) as stream:
        await stream.send(*messages)
        if not messages:
            await stream.end()
        body, failure = await stream.failure()
        initial = dict(await stream.call.initial_metadata())

    assert (body, failure) == (b"", expected)
    assert failure.invocation_id == initial["wasm-grpc-invocation-id"]


async def test_too_long_a_query(server: Server, caller: Caller) -> None:
    """What no worker takes as an environment is refused, as a stream and else, and costs no worker."""
    before = set(worker_pids(server.process.pid))
    query = "q" * (4 * MIB + 100)
    expected = (
        r"function 'echo': query, content type and metadata make an environment of 419\d{4} characters; "
    )

    async with open_call(caller, "echo", query=query) as stream:
        body, failure = await stream.failure()
    unary = await caller.fail("echo", query=query)

    assert body == b""
    for each in (failure, unary):
        assert re.fullmatch(expected + "expected at most 524288", each.message)
        assert each == refused(each.message, function="echo")
    assert before <= set(worker_pids(server.process.pid))


async def test_as_much_metadata_as_may_be(caller: Caller) -> None:
    """Keys and values of 64 KiB together are taken."""
    async with open_call(caller, "echo", metadata={"x-key": "v" * (64 * KIB - 5)}) as stream:
        assert await stream.header() == PLAIN


NO_CHUNKS: dict[str, pb.InvokeRequest] = {
    "a second header": header_message("echo"),
    "an empty message": pb.InvokeRequest(),
}


@pytest.mark.parametrize("name", NO_CHUNKS)
async def test_after_the_header_there_are_only_chunks(caller: Caller, name: str) -> None:
    """Anything else ends the guest; what it wrote before is there."""
    async with open_call(caller, "echo") as stream:
        invocation_id = (await stream.header()).invocation_id
        await stream.send(b"before")
        assert await stream.exactly(6) == b"before"

        await stream.send(NO_CHUNKS[name])
        ending = await stream.failure()

    message = "function 'echo': its caller sent a message without a chunk after the header; expected chunks"
    assert ending == (b"", refused(message, function="echo"))
    assert ending[1].invocation_id == invocation_id


async def test_the_answer_begins_at_once(caller: Caller) -> None:
    """The header comes before any input is sent and before any output, each with an id of its own."""
    ids = set()
    for _ in range(2):
        async with open_call(caller, "echo") as stream:
            header = await stream.header()
            ids.add(header.invocation_id)

            assert header == PLAIN
            await stream.end()
            assert await stream.rest() == b""

    assert len(ids) == 2
    assert all(ids)


async def test_output_comes_before_the_input_ends(caller: Caller) -> None:
    """Each chunk comes back before the next one is sent."""
    async with open_call(caller, "echo") as stream:
        await stream.header()
        for number in range(100):
            chunk = b"%d" % number
            await stream.send(chunk)
            assert await stream.chunk() == chunk
        await stream.end()

        assert await stream.rest() == b""


async def test_an_empty_chunk_is_no_end(caller: Caller) -> None:
    """Nor are many; what follows reaches the guest."""
    async with open_call(caller, "echo") as stream:
        await stream.header()
        await stream.send(b"", b"", b"one", b"")
        assert await stream.exactly(3) == b"one"
        await stream.send(b"", b"two")
        assert await stream.exactly(3) == b"two"
        await stream.end()

        assert await stream.rest() == b""


@pytest.mark.parametrize("seed", range(6))
async def test_random_payloads_in_random_chunks(caller: Caller, seed: int) -> None:
    """However it is cut, all of a payload comes back, byte for byte, from several streams at once."""
    chance = random.Random(seed)
    payloads = [chance.randbytes(chance.choice([0, 1, 4095, 65_537, 700_000, 3_000_000])) for _ in range(4)]

    echoes = await asyncio.gather(*(echo(caller, *cut(chance, payload)) for payload in payloads))

    assert echoes == payloads


@pytest.mark.parametrize("size", [4 * MIB, 5 * MIB - 5], ids=["4 MiB", "a whole message"])
async def test_a_chunk_of_any_size(caller: Caller, size: int) -> None:
    """A chunk may be as long as a message: the largest body, and 1 MiB."""
    payload = random.Random(size).randbytes(size)

    assert await echo(caller, payload) == payload


async def test_too_long_a_message(caller: Caller) -> None:
    """A longer one ends the call, also for the guest, which is not told that its input has ended well."""
    async with open_call(caller, "echo") as stream:
        await stream.header()
        await stream.send(b"one")
        assert await stream.exactly(3) == b"one"
        sending = asyncio.ensure_future(stream.send(bytes(5 * MIB)))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.rest()
        await sending

    assert caught.value.code() is CODES.RESOURCE_EXHAUSTED
    assert await echo(caller, b"two") == b"two"


async def test_output_comes_in_chunks_of_1_mib_at_most(caller: Caller) -> None:
    """64 MiB come whole and in order, in messages that every gRPC peer takes."""
    async with open_call(caller, "gush") as stream:
        await stream.header()
        numbers, longest, rest = [], 0, b""
        while chunk := await stream.chunk():
            longest = max(longest, len(chunk))
            rest += chunk
            whole = len(rest) // (64 * KIB) * 64 * KIB
            numbers += [int.from_bytes(rest[at : at + 4], "little") for at in range(0, whole, 64 * KIB)]
            rest = rest[whole:]

    assert (numbers, rest) == (list(range(1024)), b"")
    assert 64 * KIB < longest <= MIB


async def test_a_guest_may_leave_its_input(caller: Caller) -> None:
    """A guest that ends before it has read all is done, and the caller's rest is of no use."""
    async with open_call(caller, "obey") as stream:
        sending = asyncio.ensure_future(stream.send(b"end here", *[bytes(MIB)] * 32))
        await stream.header()
        body = await stream.rest()
        assert not await sending

    assert body == b"end here"


async def test_a_guest_need_not_read(caller: Caller) -> None:
    """A guest that reads nothing answers, whether something is sent or not."""
    async with open_call(caller, "deaf") as stream:
        await stream.header()
        assert await stream.rest() == b"done"
    async with open_call(caller, "deaf") as stream:
        await stream.send(b"not heard")
        await stream.header()
        assert await stream.rest() == b"done"


LEFT: dict[str, tuple[str, bytes]] = {
    "ended early": ("obey", b"e"),
    "rejected": ("obey", b"r"),
    "failed": ("obey", b"f"),
    "trapped": ("obey", b"t"),
    "never read": ("deaf", b""),
}


@pytest.mark.parametrize("name", LEFT)
async def test_each_call_has_its_own_bytes(server: Server, caller: Caller, name: str) -> None:
    """Whatever a stream left unread, the next calls on its worker read and write only what is theirs."""
    method, first = LEFT[name]
    chance = random.Random(name)
    for _ in range(10):
        left, mine, unary = (chance.randbytes(chance.randrange(1, 200_000)) for _ in range(3))
        async with open_call(caller, method) as stream:
            await stream.header()
            sending = asyncio.ensure_future(stream.send(first + left[:9], *cut(chance, left)))
            # The guest is ended while its input still comes.
            try:
                while await stream.chunk():
                    pass
            except grpc.aio.AioRpcError as exc:
                assert exc.code() in (CODES.INVALID_ARGUMENT, CODES.INTERNAL)  # noqa: PT017
            await sending

        assert await echo(caller, mine) == mine
        assert (await caller.invoke("echo", unary)).body == unary
    # It was read away, and cost no worker.
    assert not [line for line in server.process.stderr.lines if "Traceback" in line or "ended with" in line]


async def test_wrong_tokens(start_server: StartServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A stream without the app's token is refused before its header is read, and the guest never sees it."""
    functions = write_functions(tmp_path_factory.mktemp("functions"), {"environment": ""})
    expected = Failure(
        code=CODES.UNAUTHENTICATED,
        message="metadata dapr-api-token: missing or wrong; expected the token of this app (APP_API_TOKEN)",
        reason="UNAUTHENTICATED",
    )
    env = {"APP_API_TOKEN": "of this app"}
    async with (
        start_server(functions, "--workers", "1", env=env) as server,
        connect(server.address) as caller,
    ):
        tokens: list[list[tuple[str, str | bytes]]] = [[], [("dapr-api-token", "of another")]]
        for metadata in tokens:
            async with open_call(caller, None, call_metadata=metadata) as stream:
                assert await stream.failure() == (b"", expected)

        metadata = [("dapr-api-token", "of this app")]
        async with open_call(caller, "environment", call_metadata=metadata) as stream:
            await stream.header()
            assert "of this app" not in str(await variables(stream))


async def test_unary_bodies_of_many_sizes(
    start_server: StartServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A body of 4, 16 or 64 MiB comes back whole where the limits allow it."""
    limits = '[limits]\nbody = "64MiB"\noutput = "64MiB"\n'
    functions = write_functions(tmp_path_factory.mktemp("functions"), {"echo": limits})
    async with start_server(functions, "--workers", "1") as server, connect(server.address) as caller:
        for size in (4 * MIB, 16 * MIB, 64 * MIB):
            body = random.Random(size).randbytes(size)
            assert (await caller.invoke("echo", body)).body == body
