"""A worker's loop with waPC guests, on every engine: calls to the server, warm instances, batches."""

from __future__ import annotations

import mmap
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.engines.table import ENGINES, assemble
from conformance.wapc.calls import LIMITS
from wasm_grpc.core.artifact import ArtifactKind, pack_entry
from wasm_grpc.core.model import (
    DaprGrants,
    Grants,
    GuestKind,
    Limits,
    Outcome,
    Reason,
    ReuseKind,
    WorkerFunction,
)
from wasm_grpc.core.start_counter import StartCounter
from wasm_grpc.core.wire import (
    DaprAnswer,
    DaprCall,
    DaprStatus,
    Input,
    Invoke,
    Load,
    Loaded,
    Message,
    Output,
    Result,
    encode,
)
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.worker.frame_socket import FrameSocket
from wasm_grpc.worker.functions import LoadedFunctions
from wasm_grpc.worker.loop import serve

__all__ = ["worker"]

GRANTED = Grants(dapr=DaprGrants(state=("s/*",)))

COMMAND = """(module
  (import "wapc" "__host_call"
    (func $host_call (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wapc" "__host_response_len" (func $length (result i32)))
  (import "wapc" "__host_response" (func $response (param i32)))
  (import "wapc" "__host_error_len" (func $error_length (result i32)))
  (import "wapc" "__host_error" (func $error (param i32)))
  (import "wapc" "__console_log" (func $log (param i32 i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "daprjsonGetState{}")
  (func (export "_start")
    (if (i32.eqz (call $host_call (i32.const 64) (i32.const 4) (i32.const 68) (i32.const 4) (i32.const 72)
        (i32.const 8) (i32.const 80) (i32.const 2)))
      (then
        (call $error (i32.const 1024))
        (call $log (i32.const 1024) (call $error_length))
        (call $exit (i32.const 1))))
    (call $response (i32.const 1024))
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (call $length))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"""
"""A program that calls Dapr: it writes the response, or logs the error and fails."""


class Worker:
    """A worker's loop on a thread, and the server's end of its socket."""

    def __init__(self, engine: str, folder: Path) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(15)
        self._socket = ours
        self._link = FrameSocket(ours)
        self._engine = engine
        self._folder = folder
        self._thread = threading.Thread(target=self._serve, args=(theirs,))
        self._thread.start()

    def _serve(self, theirs: socket.socket) -> None:
        # Opened here: Wasmer's objects can be used on one thread only.
        with theirs:
            counter = StartCounter(mmap.mmap(-1, StartCounter.SIZE))
            serve(FrameSocket(theirs), LoadedFunctions(ENGINES[self._engine]()), counter)

    def load(
        self,
        index: int,
        text: str,
        *,
        guest: GuestKind = GuestKind.WAPC,
        grants: Grants = GRANTED,
        reuse: ReuseKind = ReuseKind.WARM,
        prepared: bool = True,
        limits: Limits = LIMITS,
    ) -> None:
        """Load a function of a module in text."""
        wasm = write_limits(assemble(text), memory_bytes=limits.memory_bytes)
        code = ENGINES[self._engine]().compile(wasm)
        header, digest = pack_entry(ArtifactKind.NATIVE_CODE, key=bytes(32), payload=code)
        artifact = self._folder / f"{index}.artifact"
        artifact.write_bytes(header + code)
        artifact.chmod(0o600)
        function = WorkerFunction(
            name="f",
            guest=guest,
            artifact=str(artifact),
            digest=digest,
            limits=limits,
            grants=grants,
            prepared=prepared,
            reuse=reuse,
        )
        self.send(Load(index, function))
        assert self.receive() == Loaded(index)

    def send(self, *messages: Message) -> None:
        """Send messages in one write."""
        self._socket.sendall(b"".join(part for message in messages for part in encode(message)))

    def receive(self) -> Message:
        """Return the worker's next message."""
        message = self._link.receive()
        assert message is not None
        return message

    def outcome(self) -> Outcome:
        """Return the worker's next message, a RESULT."""
        message = self.receive()
        assert isinstance(message, Result)
        return message.outcome

    def run(self, index: int, operation: bytes, payload: bytes = b"") -> Outcome:
        """Run an invocation that calls nobody."""
        self.send(Invoke(index, b"", payload, operation=operation))
        return self.outcome()

    def close(self) -> None:
        """Close the socket, and wait until the worker has ended."""
        self._socket.close()
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture(params=list(ENGINES))
def worker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Worker]:
    """A worker on each engine."""
    running = Worker(request.param, tmp_path)
    yield running
    running.close()


def _guest() -> str:
    return Path(__file__).with_name("guest.wat").read_text()


def test_a_call_to_dapr_goes_to_the_server(worker: Worker) -> None:
    """The server gets the method, the request and its form, and the guest its answer."""
    worker.load(0, _guest())
    worker.send(Invoke(0, b"", b"{}", operation=b"h"))

    call = worker.receive()
    worker.send(DaprAnswer(DaprStatus.OK, response=b'{"data":""}'))

    assert call == DaprCall("GetState", is_json=True, request=b"{}")
    assert worker.outcome().body == b'{"data":""}'


def test_a_denied_call(worker: Worker) -> None:
    """The guest that fails over it was denied something."""
    worker.load(0, _guest())
    worker.send(Invoke(0, b"", b"{}", operation=b"h"))
    worker.receive()

    worker.send(DaprAnswer(DaprStatus.DENIED, "state 's/k' is not granted"))

    outcome = worker.outcome()
    assert (outcome.reason, outcome.message) == (
        Reason.DENIED,
        "state 's/k' is not granted (guest failed: state 's/k' is not granted)",
    )


def test_a_call_over_the_limit(worker: Worker) -> None:
    """The server says so, and the guest ends; the next invocation has another instance."""
    worker.load(0, _guest())
    worker.run(0, b"m")
    worker.send(Invoke(0, b"", b"", operation=b"l"))
    worker.receive()

    worker.send(DaprAnswer(DaprStatus.LIMIT))

    assert worker.outcome().reason is Reason.HOST_CALL_LIMIT
    assert worker.run(0, b"m").body == b"1"


def test_without_a_grant_the_server_is_not_asked(worker: Worker) -> None:
    """The guest fails at once."""
    worker.load(0, _guest(), grants=Grants())

    outcome = worker.run(0, b"h", b"{}")

    assert outcome.message.startswith("guest failed: binding 'dapr' is unknown")


def test_a_program_calls_dapr(worker: Worker) -> None:
    """The import works for commands too."""
    worker.load(0, COMMAND, guest=GuestKind.WASI_COMMAND, reuse=ReuseKind.FRESH)
    outcomes = []
    for answer in (
        DaprAnswer(DaprStatus.OK, response=b'{"data":""}'),
        DaprAnswer(DaprStatus.FAILED, "NOT_FOUND: no store"),
    ):
        worker.send(Invoke(0, b"", b""))
        assert worker.receive() == DaprCall("GetState", is_json=True, request=b"{}")
        worker.send(answer)
        outcomes.append(worker.outcome())

    assert (outcomes[0].reason, outcomes[0].body) == (Reason.OK, b'{"data":""}')
    assert (outcomes[1].reason, outcomes[1].stderr) == (Reason.EXITED, b"NOT_FOUND: no store\n")


def test_a_streamed_call_to_dapr(worker: Worker) -> None:
    """The input is gathered before the guest runs, and the response is sent whole."""
    worker.load(0, _guest())
    pieces = [Input(piece) for piece in (b"{", b'"key":"k"', b"}", b"")]

    worker.send(Invoke(0, b"", b"", streams=True, operation=b"h"), *pieces)
    call = worker.receive()
    worker.send(DaprAnswer(DaprStatus.OK, response=b"answer"))

    assert call == DaprCall("GetState", is_json=True, request=b'{"key":"k"}')
    assert worker.receive() == Output(b"answer")
    assert (outcome := worker.outcome()).reason is Reason.OK
    assert outcome.body == b""


@pytest.mark.parametrize("prepared", [True, False])
def test_a_batch_shares_a_warm_instance(worker: Worker, *, prepared: bool) -> None:
    """Its invocations run one after the other, with and without instances that are made ahead."""
    worker.load(0, _guest(), prepared=prepared)

    worker.send(*[Invoke(0, b"", b"", operation=b"m")] * 5)

    assert [worker.outcome().body for _ in range(5)] == [b"1", b"2", b"3", b"4", b"5"]


def test_a_fresh_function_shares_none(worker: Worker) -> None:
    """Each invocation of a batch is the first one of its instance."""
    worker.load(0, _guest(), reuse=ReuseKind.FRESH)

    worker.send(*[Invoke(0, b"", b"", operation=b"m")] * 5)

    assert [worker.outcome().body for _ in range(5)] == [b"1"] * 5


def test_two_functions_of_one_module_share_no_instance(worker: Worker) -> None:
    """An instance is its function's, also if another one has the same native code."""
    for index in (0, 1):
        worker.load(index, _guest())

    worker.run(0, b"r", b"secret of first!")

    assert worker.run(1, b"r").body == bytes(16)


def test_a_warm_instance_may_be_lost(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine has room for so many: the function that was called least recently gets another one."""
    monkeypatch.setattr("wasm_grpc.worker.functions._PREPARED", 2)
    again = Worker(worker._engine, worker._folder)  # noqa: SLF001 - a worker that reads the new number
    try:
        for index in range(3):
            again.load(index, _guest(), prepared=False)
        counts = [again.run(index, b"m").body for index in (0, 1, 0, 2, 0, 1)]
    finally:
        again.close()

    assert counts == [b"1", b"1", b"2", b"1", b"3", b"1"]
