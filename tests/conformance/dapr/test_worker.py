"""A worker's guest reaches Dapr over the worker's socket, with a server at its other end that answers."""

from __future__ import annotations

import mmap
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.dapr.fake_dapr import FakeDapr
from wasm_grpc.core.artifact import ArtifactKind, pack_entry
from wasm_grpc.core.model import DaprGrants, Grants, GuestKind, Limits, Outcome, Reason, WorkerFunction
from wasm_grpc.core.start_counter import StartCounter
from wasm_grpc.core.wire import (
    DaprAnswer,
    DaprCall,
    DaprStatus,
    Input,
    Invoke,
    Load,
    Loaded,
    Output,
    Read,
    Result,
    encode_env,
)
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.worker.frame_socket import FrameSocket
from wasm_grpc.worker.functions import LoadedFunctions
from wasm_grpc.worker.loop import serve

__all__ = []

GUEST = Path(__file__).parents[1] / "guests" / "c" / "guest.wasm"
GRANTED = Grants(dapr=DaprGrants(state=("store/*",), invoke=("app/upper",)))
LIMITS = Limits(host_calls=2)


_HEAD = """
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "state/store/k")
  (func $open_key
    (if (call $open (i32.const 4) (i32.const 0) (i32.const 64) (i32.const 13) (i32.const 0)
      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)) (then (unreachable))))
  (func (export "_start")
"""
"""The scratch folder is descriptor 3, and /dapr is 4."""

READS_STATE_THEN_INPUT = f"""{_HEAD}
    (call $open_key)
    (i32.store (i32.const 0) (i32.const 128))
    (loop $more
      (i32.store (i32.const 4) (i32.const 1024))
      (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)) (then (unreachable)))
      (if (i32.load (i32.const 4)) (then
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
        (br $more))))))"""

READS_STATE_FOR_EVER = f"{_HEAD} (loop $ever (call $open_key) (br $ever))))"


class Server:
    """
    The server's end of the socket to a worker, which runs on a thread.

    Attributes:
        dapr: What answers the guests' calls.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(10)
        self.dapr = FakeDapr()
        self._ours = ours
        self._link = FrameSocket(ours)
        self._engine = engine
        self._folder = folder
        self._output = b""
        self._worker = threading.Thread(target=self._serve, args=(theirs,))
        self._worker.start()

    def _serve(self, theirs: socket.socket) -> None:
        counter = mmap.mmap(-1, StartCounter.SIZE)
        with theirs:
            serve(FrameSocket(theirs), LoadedFunctions(self._engine), StartCounter(counter))

    def load(self, *args: str, grants: Grants = GRANTED, module: bytes | None = None) -> None:
        """Load a module, or the guest in C under these arguments, as the function 0."""
        wasm = write_limits(module or GUEST.read_bytes(), memory_bytes=LIMITS.memory_bytes)
        payload = self._engine.compile(wasm)
        header, digest = pack_entry(ArtifactKind.NATIVE_CODE, key=bytes(32), payload=payload)
        artifact = self._folder / "artifact"
        artifact.write_bytes(header + payload)
        artifact.chmod(0o600)
        function = WorkerFunction(
            name="f",
            guest=GuestKind.WASI_COMMAND,
            artifact=str(artifact),
            digest=digest,
            args=args,
            limits=LIMITS,
            grants=grants,
        )
        self._link.send(Load(0, function))
        assert self._link.receive() == Loaded(0)

    def run(
        self, body: bytes = b"", *, streams: bool = False, before_answer: Callable[[], None] = lambda: None
    ) -> Outcome:
        """Run an invocation, answer its calls to Dapr as the limit allows, and return its outcome."""
        self._link.send(Invoke(0, encode_env(()), body, streams=streams))
        calls = 0
        while not isinstance(message := self._link.receive(), Result):
            if isinstance(message, DaprCall):
                calls += 1
                before_answer()
                self._link.send(
                    self.dapr.call(message.method, message.request, is_json=message.is_json)
                    if calls <= LIMITS.host_calls
                    else DaprAnswer(DaprStatus.LIMIT)
                )
            elif isinstance(message, Output):
                self._output += bytes(message.chunk)
            else:
                assert isinstance(message, Read)
        return message.outcome

    def send_input(self, chunk: bytes) -> None:
        """Send a piece of a stream's input."""
        self._link.send(Input(chunk))

    @property
    def output(self) -> bytes:
        """What streaming guests have written."""
        return self._output

    def close(self) -> None:
        """End the worker."""
        self._ours.close()
        self._worker.join(10)
        assert not self._worker.is_alive()


@pytest.fixture
def server(engine: Engine, tmp_path: Path) -> Iterator[Server]:
    """A worker on a thread, and its server."""
    running = Server(engine, tmp_path)
    yield running
    running.close()


def test_calls_are_answered(server: Server) -> None:
    """One invocation after the other reads and writes the same state."""
    server.load("write", "/dapr/state/store/k")

    outcomes = [server.run(body) for body in (b"one", b"two")]
    server.load("read", "/dapr/state/store/k")
    outcomes.append(server.run())

    assert [(outcome.reason, outcome.body) for outcome in outcomes] == [
        (Reason.OK, b""),
        (Reason.OK, b""),
        (Reason.OK, b"two"),
    ]


def test_nothing_remains_of_an_invocation(server: Server) -> None:
    """What a failed invocation has not sent is sent by no later one."""
    server.load("leave", "/dapr/state/store/k")
    server.dapr.answers = [DaprAnswer(DaprStatus.UNAVAILABLE, "no sidecar")]

    outcomes = [server.run(b"one"), server.run(b"two")]

    assert [outcome.reason for outcome in outcomes] == [Reason.UNSENT, Reason.OK]
    assert (server.dapr.methods, server.dapr.state) == (["SaveState"] * 2, {("store", "k"): b"two"})


def test_input_may_come_before_the_answer(server: Server, assemble: Callable[[str], bytes]) -> None:
    """A streaming guest that waits for Dapr reads the input that arrived meanwhile."""
    server.load(module=assemble(READS_STATE_THEN_INPUT))
    server.dapr.state["store", "k"] = b"value"

    def send_ahead() -> None:
        for chunk in (b"one", b"two", b""):
            server.send_input(chunk)

    outcome = server.run(streams=True, before_answer=send_ahead)

    assert (outcome.reason, server.output) == (Reason.OK, b"onetwo")


def test_calls_are_limited(server: Server, assemble: Callable[[str], bytes]) -> None:
    """The guest is stopped at the call that is one too many, and none follows."""
    server.load(module=assemble(READS_STATE_FOR_EVER))
    server.dapr.state["store", "k"] = b"value"

    outcome = server.run()

    assert (outcome.reason, outcome.limit) == (Reason.HOST_CALL_LIMIT, "limits.host_calls")
    assert len(server.dapr.calls) == LIMITS.host_calls


def test_a_guest_without_a_grant_has_no_directory(server: Server) -> None:
    """Its library finds no such file, and nothing says what was missing."""
    server.load("read", "/dapr/state/store/k", grants=Grants())

    outcome = server.run()

    assert (outcome.reason, server.dapr.calls) == (Reason.EXITED, [])
    assert b"grant" not in outcome.stderr
    assert b"dapr:" not in outcome.stderr
