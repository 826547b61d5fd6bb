"""Programs of other toolchains do the same on every engine, each one module that its arguments direct."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from wasm_grpc.core.model import GuestKind, Limits, Mount, MountEntry, Outcome, Reason
from wasm_grpc.engines.binary import read_module
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.engines.protocol import Engine, Prepared
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.guests.registry import guest_for
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


def _run(prepared: Prepared, mounts: Sequence[Mount], args: Sequence[str], body: bytes = b"") -> Outcome:
    ready = GUEST.ready(prepared, LIMITS)
    call = GuestCall(
        args=encode_strings(["guest", *args]),
        env=b"",
        stdin=BytesStdin(body),
        stdout=CollectedStdout(LIMITS.output_bytes),
        stderr=Stderr(LIMITS.stderr_bytes),
        limits=LIMITS,
        preopens=FileSystem(mounts, scratch_bytes=LIMITS.scratch_bytes).preopens(),
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
