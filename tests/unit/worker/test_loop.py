"""The worker's loop over a socket, with the fake engine."""

from __future__ import annotations

import dataclasses
import mmap
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wasm_grpc.core.artifact import ArtifactKind, pack_entry
from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.model import GuestKind, Limits, Outcome, Reason, WorkerFunction
from wasm_grpc.core.start_counter import StartCounter
from wasm_grpc.core.wire import (
    Input,
    Invoke,
    Load,
    Loaded,
    LoadFailed,
    Log,
    Message,
    Output,
    Read,
    Result,
    encode,
    encode_env,
)
from wasm_grpc.engines.fake import FakeEngine, FakeInstance, FakePrepared, write_fake
from wasm_grpc.engines.protocol import Context, GuestTrap
from wasm_grpc.worker.frame_socket import FrameSocket
from wasm_grpc.worker.functions import LoadedFunctions
from wasm_grpc.worker.loop import serve


class Server:
    """The server's end of the socket to a worker, which runs on a thread."""

    def __init__(self, folder: Path) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(10)
        self.socket = ours
        self.link = FrameSocket(ours)
        self.counter = mmap.mmap(-1, StartCounter.SIZE)
        self.error: Exception | None = None
        self.code: int | None = None
        self._folder = folder
        self._worker = threading.Thread(target=self._run, args=(theirs,))
        self._worker.start()

    def _run(self, theirs: socket.socket) -> None:
        with theirs:
            try:
                self.code = serve(
                    FrameSocket(theirs), LoadedFunctions(FakeEngine()), StartCounter(self.counter)
                )
            except ProtocolError as exc:
                self.error = exc

    def load(self, index: int, script: str, **fields: Any) -> Message:
        """Send a LOAD of a script, and return the answer."""
        payload = write_fake(script)
        header, digest = pack_entry(ArtifactKind.NATIVE_CODE, key=bytes(32), payload=payload)
        artifact = self._folder / f"{index}.artifact"
        artifact.write_bytes(header + payload)
        artifact.chmod(0o600)
        function = WorkerFunction(
            name="f", guest=GuestKind.WASI_COMMAND, artifact=str(artifact), digest=digest
        )
        self.link.send(Load(index, dataclasses.replace(function, **fields)))
        return self.receive()

    def invoke(
        self, index: int, body: bytes = b"", *, streams: bool = False, follows_log: bool = False
    ) -> None:
        """Send an INVOKE."""
        self.link.send(Invoke(index, encode_env(()), body, streams=streams, follows_log=follows_log))

    def send_input(self, *pieces: bytes) -> None:
        """Send an INPUT for each piece. An empty piece ends the input."""
        for piece in pieces:
            self.link.send(Input(piece))

    def stream(self, index: int, *pieces: bytes, follows_log: bool = False) -> list[Message]:
        """Send an INVOKE with all its input at once, and return the answers up to RESULT."""
        invoke = Invoke(index, encode_env(()), b"", streams=True, follows_log=follows_log)
        frames: list[Message] = [invoke, *map(Input, pieces)]
        self.socket.sendall(b"".join(part for message in frames for part in encode(message)))
        messages = [self.receive()]
        while not isinstance(messages[-1], Result):
            messages.append(self.receive())
        return messages

    def receive(self) -> Message:
        """Return the worker's next message."""
        message = self.link.receive()
        assert message is not None
        return message

    def outcome(self) -> tuple[Outcome, bool]:
        """Return the worker's next message as a RESULT: the outcome, and whether the worker ends."""
        return read_result(self.receive())

    def begun(self) -> int:
        """Return how many guests the worker has started, as its counter says."""
        return StartCounter(self.counter).count()

    def close(self) -> None:
        """Close the socket, and wait until the worker has ended."""
        self.socket.close()
        self._worker.join(10)
        assert not self._worker.is_alive()


def read_result(message: Message) -> tuple[Outcome, bool]:
    """Return a RESULT's fields."""
    assert isinstance(message, Result)
    return message.outcome, message.is_tainted


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Start a worker's loop on a thread."""
    running = Server(tmp_path)
    yield running
    running.close()


def test_a_function_runs_many_times(server: Server) -> None:
    """A function is loaded once and invoked twice, and the start counter counts both runs."""
    answer = server.load(0, "echo")
    outcomes = []
    for body in (b"one", b"two"):
        server.invoke(0, body)
        outcomes.append(server.outcome())

    assert answer == Loaded(0)
    assert [(outcome.reason, outcome.body, is_tainted) for outcome, is_tainted in outcomes] == [
        (Reason.OK, b"one", False),
        (Reason.OK, b"two", False),
    ]
    assert server.begun() == 2


def test_an_instance_is_freed_after_its_answer(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller has its answer before the instance is freed, and that is freed before the next is made."""
    events = []
    send, close, instantiate = FrameSocket.send, FakeInstance.close, FakePrepared.instantiate

    def note_send(link: FrameSocket, message: Message) -> None:
        if isinstance(message, Result):
            events.append("answer")
        send(link, message)

    def note_close(instance: FakeInstance) -> None:
        events.append("free")
        close(instance)

    def note_instantiate(prepared: FakePrepared, context: Context, *, memory_bytes: int) -> FakeInstance:
        events.append("make")
        return instantiate(prepared, context, memory_bytes=memory_bytes)

    monkeypatch.setattr(FrameSocket, "send", note_send)
    monkeypatch.setattr(FakeInstance, "close", note_close)
    monkeypatch.setattr(FakePrepared, "instantiate", note_instantiate)
    server.load(0, "echo")
    server.invoke(0)
    server.outcome()

    server.close()

    assert events == ["make", "answer", "free", "make"]


@pytest.mark.parametrize("is_short", [False, True], ids=["a message comes", "memory is short"])
def test_warm_ups_end_when_there_is_something_else_to_do(*, is_short: bool) -> None:
    """A worker runs warm-ups one by one, until a message has come; one that fails is no error."""
    ours, theirs = socket.socketpair()
    run = []

    def first() -> None:
        run.append("first")

    def second() -> None:
        run.append("second")
        # The end is a message too.
        ours.shutdown(socket.SHUT_WR)
        if is_short:
            raise MemoryError

    functions = LoadedFunctions(FakeEngine())
    functions.warm_ups = lambda: iter((first, second, first))  # type: ignore[method-assign]
    with ours, theirs:
        code = serve(FrameSocket(theirs), functions, StartCounter(mmap.mmap(-1, StartCounter.SIZE)))

    assert (code, run) == (0, ["first", "second"])


def test_an_index_selects_the_function(server: Server) -> None:
    """An invocation runs the function that was loaded with its index."""
    server.load(0, "print zero")
    server.load(5, "print five")

    server.invoke(5)
    server.invoke(0)

    assert [server.outcome()[0].body for _ in range(2)] == [b"five", b"zero"]


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("log why\nexit 65", (Reason.REJECTED, b"why", 65)),
        ("exit 3", (Reason.EXITED, b"", 3)),
        ("trap unreachable", (Reason.TRAPPED, b"", 0)),
    ],
)
def test_a_worker_survives_a_guest_that_fails(
    server: Server, script: str, outcome: tuple[Reason, bytes, int]
) -> None:
    """The outcome says how the guest ended, and the worker is not tainted."""
    server.load(0, script)
    server.invoke(0)

    found, is_tainted = server.outcome()

    assert (found.reason, found.stderr, found.exit_code) == outcome
    assert not is_tainted


def test_a_tainted_engine_ends_the_worker(server: Server) -> None:
    """If a trap leaves the engine in an unknown state, the worker reports this and ends with exit code 1."""
    server.load(0, "taint unreachable")
    server.invoke(0)

    _, is_tainted = server.outcome()

    assert is_tainted
    assert server.link.receive() is None
    server.close()
    assert server.code == 1


def _taint(_: FakePrepared, __: Context, *, memory_bytes: int) -> FakeInstance:
    raise GuestTrap("engine failed with PanicException", is_process_tainted=True)


def test_an_instance_that_taints_the_process_when_it_is_made(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The process ends at once, and not when the function is called."""
    monkeypatch.setattr(FakePrepared, "instantiate", _taint)

    with pytest.raises(AssertionError):
        server.load(0, "echo")

    server.close()
    assert server.code == 1
    assert capsys.readouterr().err == (
        "function 'f': no instance could be made: engine failed with PanicException\n"
    )


def test_an_instance_that_taints_the_process_after_an_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The invocation before has its answer, and the process takes no other."""
    server.load(0, "print done")
    monkeypatch.setattr(FakePrepared, "instantiate", _taint)

    server.invoke(0)

    assert server.outcome()[0].body == b"done"
    assert server.link.receive() is None
    server.close()
    assert server.code == 1


def test_a_function_that_can_not_be_loaded(server: Server) -> None:
    """LOAD_FAILED and each RESULT give the reason, without a path."""
    answer = server.load(0, "echo", artifact="/no/such/artifact")
    server.invoke(0)

    outcome, is_tainted = server.outcome()

    error = "artifact: the file is missing; expected it to exist while the server runs"
    assert answer == LoadFailed(0, error)
    assert outcome == Outcome(reason=Reason.UNAVAILABLE, message=f"it can't be loaded: {error}")
    assert not is_tainted


def test_an_artifact_with_another_digest_is_not_loaded(server: Server) -> None:
    """A worker loads only native code with the digest that the server sent."""
    answer = server.load(0, "echo", digest="0" * 64)

    assert isinstance(answer, LoadFailed)
    assert "was replaced" in answer.error


def test_a_function_can_be_loaded_after_a_failure(server: Server) -> None:
    """A second LOAD replaces one that failed."""
    server.load(0, "echo", digest="0" * 64)

    assert server.load(0, "echo") == Loaded(0)
    server.invoke(0, b"body")
    assert server.outcome()[0].body == b"body"


def test_the_output_limit(server: Server) -> None:
    """A guest that writes more than its limit is stopped, and its output is discarded."""
    server.load(0, "flood 5000", limits=Limits(output_bytes=4096))
    server.invoke(0)

    outcome, _ = server.outcome()

    assert (outcome.reason, outcome.body, outcome.limit) == (Reason.OUTPUT_LIMIT, b"", "limits.output")


def test_a_stream_asks_for_input(server: Server) -> None:
    """A streaming guest asks for input when it has none, and each of its writes is sent at once."""
    server.load(0, "log hello\necho")
    server.invoke(0, streams=True, follows_log=True)
    seen: list[tuple[type[Message], object]] = []
    pieces = [b"one", b"two", b""]
    while not isinstance(message := server.receive(), Result):
        if isinstance(message, Read):
            seen.append((Read, message.taken))
            server.send_input(pieces.pop(0))
        else:
            assert isinstance(message, (Log, Output))
            seen.append((type(message), message.chunk))

    assert seen == [
        (Log, b"hello"),
        (Read, 0),
        (Output, b"one"),
        (Read, 3),
        (Output, b"two"),
        (Read, 6),
    ]
    outcome, _ = read_result(message)
    assert (outcome.reason, outcome.body, outcome.stderr) == (Reason.OK, b"", b"hello")


def test_input_that_has_arrived_is_not_asked_for(server: Server) -> None:
    """A streaming guest sends no READ for input that is already there."""
    server.load(0, "echo")

    messages = server.stream(0, b"one", b"two", b"")

    assert messages[:-1] == [Output(b"one"), Output(b"two")]


def test_a_log_is_sent_only_if_it_is_followed(server: Server) -> None:
    """Without `follows_log`, standard error is only in the outcome."""
    server.load(0, "log hello\necho")

    messages = server.stream(0, b"")

    assert Log not in map(type, messages)
    assert read_result(messages[-1])[0].stderr == b"hello"


def test_unread_input_is_discarded(server: Server) -> None:
    """Input that a guest did not read does not reach the next invocation."""
    server.load(0, "exit 3")
    server.load(1, "echo")

    (result,) = server.stream(0, b"left", b"over", b"")
    server.invoke(1, b"body")

    assert read_result(result)[0].exit_code == 3
    assert server.outcome()[0].body == b"body"


def test_the_output_limit_of_a_stream(server: Server) -> None:
    """A streaming guest is stopped at the write that exceeds its limit. Earlier writes are sent."""
    server.load(0, "echo", limits=Limits(output_bytes=5))

    *messages, result = server.stream(0, b"four", b"more", b"")

    assert messages == [Output(b"four")]
    outcome, _ = read_result(result)
    assert (outcome.reason, outcome.limit) == (Reason.OUTPUT_LIMIT, "limits.output")


def test_a_worker_ends_when_the_server_closes_the_socket(server: Server) -> None:
    """Its exit code is 0."""
    server.socket.shutdown(socket.SHUT_WR)
    server.close()

    assert server.code == 0


def test_a_message_out_of_place(server: Server) -> None:
    """A message that only workers send is a protocol error."""
    server.link.send(Result(Outcome(reason=Reason.OK)))
    server.close()

    assert str(server.error) == "RESULT frame: out of place; expected LOAD or INVOKE"


def test_an_invocation_of_a_function_that_was_not_loaded(server: Server) -> None:
    """An INVOKE with an index that no LOAD had is a protocol error, and starts no guest."""
    server.load(0, "echo")
    server.invoke(1)
    server.close()

    assert str(server.error) == "INVOKE frame: index: 1; expected that of a LOAD frame"
    assert server.begun() == 0


def test_functions_beyond_what_the_engine_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more functions than an engine holds instances, each runs; those called last have theirs ready."""
    monkeypatch.setattr(FakeEngine, "instances", 4)
    freed: list[str] = []
    monkeypatch.setattr(
        "wasm_grpc.worker.functions.LoadedFunction.discard", lambda entry: freed.append(entry.function.name)
    )
    server = Server(tmp_path)
    for index in range(5):
        assert server.load(index, "exit 0", name=f"f{index}", prepared=True) == Loaded(index)
    for index in (0, 3):
        server.invoke(index)
        assert isinstance(server.receive(), Result)
    server.close()

    # Two have an instance at a time: each LOAD but two frees the oldest. An INVOKE frees its own as well.
    assert freed == ["f0", "f1", "f2", "f0", "f3", "f3", "f4"]
