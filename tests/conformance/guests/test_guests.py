"""Programs of other toolchains do the same on every engine, each one module that its arguments direct."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from conformance.dapr.fake_dapr import FakeDapr
from wasm_grpc.core.model import DaprGrants, Grants, GuestKind, Limits, Mount, MountEntry, Outcome, Reason
from wasm_grpc.core.wire import DaprAnswer, DaprStatus
from wasm_grpc.engines.binary import read_module
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.engines.protocol import Engine, Prepared
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.hosts.dapr.module import DaprAsFiles
from wasm_grpc.hosts.wasi.context import encode_strings
from wasm_grpc.hosts.wasi.mounts import SCRATCH, FileSystem
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr

__all__ = []

FOLDER = Path(__file__).parent
LANGUAGES = ("assemblyscript", "c", "go", "rust")
GUEST = guest_for(GuestKind.WASI_COMMAND)
LIMITS = Limits()

BODY = bytes(range(256)) * 300
"""Over the buffer of every library, and text in no encoding."""

EXIT_IO_ERROR = 74

DAPR_GRANTS = DaprGrants(
    state=("store/orders-*",),
    secrets=("vault/password",),
    configuration=("config/colour",),
    publish=("pubsub/news",),
    bindings=("mail/create",),
    invoke=("app/upper",),
)


@pytest.fixture(scope="module", params=LANGUAGES)
def prepared(engine: Engine, request: pytest.FixtureRequest) -> Prepared:
    """The module of one language, compiled once."""
    wasm = (FOLDER / request.param / "guest.wasm").read_bytes()
    assert GUEST.check(read_module(wasm)) == []
    return engine.load(engine.compile(write_limits(wasm, memory_bytes=LIMITS.memory_bytes)), GUEST.hosts)


@pytest.fixture(scope="module")
def mounts(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Mount]:
    """The folder /data, with one file in a folder of its own."""
    host = tmp_path_factory.mktemp("data") / "file"
    host.write_bytes(BODY)
    digest = hashlib.sha256(BODY).hexdigest()
    file = MountEntry(path="below/file", host=str(host), size=len(BODY), sha256=digest)
    return [Mount(guest="/data", entries=(MountEntry(path="below"), file))]


def _run(
    prepared: Prepared,
    mounts: Sequence[Mount],
    args: Sequence[str],
    body: bytes = b"",
    dapr: FakeDapr | None = None,
) -> Outcome:
    ready = GUEST.ready(prepared, LIMITS)
    call = GuestCall(
        args=encode_strings(["guest", *args]),
        env=b"",
        stdin=BytesStdin(body),
        stdout=CollectedStdout(LIMITS.output_bytes),
        stderr=Stderr(LIMITS.stderr_bytes),
        limits=LIMITS,
        preopens=FileSystem(mounts, scratch_bytes=LIMITS.scratch_bytes).preopens(),
        states={DaprAsFiles.state: DaprAsFiles().open(Grants(dapr=DAPR_GRANTS))},
        dapr=dapr,
    )
    return ready.run(call).outcome


@pytest.mark.parametrize(
    ("args", "body"),
    [
        (["echo"], BODY),
        (["echo"], b""),
        (["read", "/data/below/file"], b""),
        (["scratch", f"{SCRATCH}/file"], BODY),
        (["scratch", f"{SCRATCH}/empty"], b""),
    ],
    ids=["echo", "echo nothing", "read", "scratch", "scratch nothing"],
)
def test_it_does_as_told(
    prepared: Prepared, mounts: Sequence[Mount], args: Sequence[str], body: bytes
) -> None:
    """What is read from standard input, a granted file or scratch comes out, byte for byte."""
    outcome = _run(prepared, mounts, args, body)

    expected = BODY if args[0] == "read" else body
    assert (outcome.reason, outcome.body, outcome.stderr) == (Reason.OK, expected, b"")


@pytest.mark.parametrize(("code", "reason"), [(65, Reason.REJECTED), (3, Reason.EXITED)])
def test_it_fails_on_purpose(prepared: Prepared, mounts: Sequence[Mount], code: int, reason: Reason) -> None:
    """Its exit code and its log are told; 65 rejects the input."""
    outcome = _run(prepared, mounts, ["fail", str(code)])

    assert (outcome.reason, outcome.exit_code, outcome.stderr) == (reason, code, b"told to fail\n")


@pytest.mark.parametrize(
    "args",
    [
        ["read", "/data/missing"],
        ["read", "/etc/passwd"],
        ["read", "/data/../../etc/passwd"],
        ["scratch", "/data/below/file"],
        ["scratch", "/data/new"],
    ],
    ids=["missing", "not granted", "above", "overwrite", "create"],
)
def test_what_it_may_not_is_an_error_of_its_own(
    prepared: Prepared, mounts: Sequence[Mount], args: Sequence[str]
) -> None:
    """Its library turns the errno into an error that it can tell, and nothing comes out."""
    outcome = _run(prepared, mounts, args, b"never")

    assert (outcome.reason, outcome.exit_code, outcome.body) == (Reason.EXITED, EXIT_IO_ERROR, b"")
    assert outcome.stderr != b""


def _use(prepared: Prepared, dapr: FakeDapr, command: str, path: str, body: bytes = b"") -> bytes:
    outcome = _run(prepared, (), [command, f"/dapr/{path}"], body, dapr)
    assert (outcome.reason, outcome.stderr) == (Reason.OK, b"")
    return outcome.body


def test_state_is_a_file(prepared: Prepared) -> None:
    """With files of its library, a program creates, finds, reads, replaces and removes a value."""
    dapr, path = FakeDapr(), "state/store/orders-%2F1"

    seen = [_use(prepared, dapr, "exists", path)]
    for body in (BODY, b"", b"short"):
        _use(prepared, dapr, "write", path, body)
        assert dapr.state == {("store", "orders-/1"): body}
        seen += [_use(prepared, dapr, "exists", path)]
        assert _use(prepared, dapr, "read", path) == body
    _use(prepared, dapr, "remove", path)

    assert (seen, dapr.state) == ([b"no\n", b"yes\n", b"yes\n", b"yes\n"], {})


@pytest.mark.parametrize("command", ["write", "leave"])
def test_a_topic_takes_messages(prepared: Prepared, command: str) -> None:
    """A file that is written is one message, whether the program closes it or not."""
    dapr = FakeDapr()

    _use(prepared, dapr, command, "publish/pubsub/news?content-type=text/plain", BODY)

    assert (dapr.published, dapr.calls[0][1]["dataContentType"]) == ([BODY], "text/plain")


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        ("invoke/app/upper", b"hello", b"POST HELLO"),
        ("invoke/app/upper", b"", b"GET "),
        ("invoke/app/upper?a=1", BODY, b"POST " + BODY.upper()),
        ("bindings/mail/create", b"hello", b"HELLO"),
    ],
)
def test_a_request_is_answered(prepared: Prepared, path: str, body: bytes, answer: bytes) -> None:
    """A file that is opened for reading and writing takes a request, and then has its answer."""
    dapr = FakeDapr()

    assert _use(prepared, dapr, "exchange", path, body) == answer
    assert len(dapr.calls) == 1


def test_secrets_and_configuration_are_read(prepared: Prepared) -> None:
    """They are files that can't be written."""
    dapr = FakeDapr()
    dapr.secrets["vault", "password"] = {"password": "s3cret"}
    dapr.configuration["config", "colour"] = "blue"

    values = [
        _use(prepared, dapr, "read", path)
        for path in ("secrets/vault/password", "configuration/config/colour")
    ]
    outcome = _run(prepared, (), ["write", "/dapr/secrets/vault/password"], b"x", dapr)

    assert values == [b"s3cret", b"blue"]
    assert (outcome.reason, outcome.exit_code) == (Reason.EXITED, EXIT_IO_ERROR)


def test_a_call_that_is_not_granted(prepared: Prepared) -> None:
    """The program's library makes an error of it, and the outcome says what was missing."""
    dapr = FakeDapr()

    outcome = _run(prepared, (), ["read", "/dapr/state/store/private"], b"", dapr)

    assert (outcome.reason, outcome.exit_code, dapr.calls) == (Reason.DENIED, EXIT_IO_ERROR, [])
    assert outcome.message.startswith("state 'store/private' is not granted;")


def test_a_call_that_fails(prepared: Prepared) -> None:
    """What is closed and can't be sent is the program's error; what it leaves is the invocation's."""
    dapr, path = FakeDapr(), "/dapr/state/store/orders-1"
    outcomes = []
    for command in ("write", "leave"):
        dapr.answers = [DaprAnswer(DaprStatus.UNAVAILABLE, "no sidecar")] * 2
        outcomes.append(_run(prepared, (), [command, path], b"x", dapr))

    assert [(outcome.reason, outcome.exit_code) for outcome in outcomes] == [
        (Reason.EXITED, EXIT_IO_ERROR),
        (Reason.UNSENT, 0),
    ]
    line = "state 'store/orders-1' could not be written: UNAVAILABLE: no sidecar"
    assert outcomes[1].message == line
    assert f"dapr: {line}\n".encode() in outcomes[0].stderr
