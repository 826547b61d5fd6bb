"""What a process does that was taken over. It runs inside it, so it needs nothing but the package and the language."""

from __future__ import annotations

import os
import signal
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from wasm_grpc.core import wire
from wasm_grpc.core.model import KIB, MIB, GuestKind, Outcome, Reason, WorkerFunction
from wasm_grpc.core.start_counter import StartCounter
from wasm_grpc.core.wire import Kind, Message
from wasm_grpc.worker.frame_socket import FrameSocket

__all__ = ["ATTACKS", "LIES", "MALFORMED", "Attack", "Worker"]

_OK = Outcome(reason=Reason.OK, body=b"done")
_FUNCTION = WorkerFunction(name="f", guest=GuestKind.WASI_COMMAND, artifact="a", digest="d")

_MESSAGES: tuple[Message, ...] = (
    wire.Hello("1", wire.WIRE_VERSION),
    wire.EngineOpened(python="P", version="1", target="t", missing_walls=(), limits_instances=True),
    wire.EngineFailed("no engine"),
    wire.Load(0, _FUNCTION),
    wire.Loaded(0),
    wire.LoadFailed(0, "no function"),
    wire.Invoke(0, b"", b""),
    wire.Read(1, 0),
    wire.Resume(),
    wire.Resumed(),
    wire.Input(b"x"),
    wire.Output(b"done"),
    wire.Log(b"x"),
    wire.Result(_OK),
    wire.Compile(guest=GuestKind.WASI_COMMAND, memory_bytes=1, code_memory_bytes=1, module=b"m"),
    wire.Compiled(code=b"c", minimum_bytes=0, imports=()),
    wire.CompileRefused(("no module",), is_unsupported=False),
    wire.Describe(b"m"),
    wire.Described(what="module", guest=None, host_modules=(), calls=(), problem="p"),
    wire.FindDecoder(),
    wire.Inspect(None),
    wire.Inspected(backend="b", memory_bytes=0),
    wire.InspectRefused("no model", is_unavailable=False),
    wire.Fork(job=wire.ForkJob.WORKER, memory_bytes=0, cpu_s=0),
    wire.Forked(1),
    wire.ForkFailed("no process"),
    wire.DaprCall("GetState", is_json=True, request=b"{}"),
    wire.DaprAnswer(wire.DaprStatus.OK),
)
_BY_KIND = {message.kind.name: message for message in _MESSAGES}

LIES = {
    "output": Outcome(reason=Reason.OK, body=bytes(KIB + 1)),
    "far too much output": Outcome(reason=Reason.OK, body=bytes(60 * MIB)),
    "output of a failure": Outcome(reason=Reason.TRAPPED, body=b"x", message="trapped"),
    "standard error": Outcome(reason=Reason.OK, stderr=bytes(64 * KIB + 1)),
    "far too much standard error": Outcome(reason=Reason.OK, stderr=bytes(3 * MIB)),
    "message of a success": Outcome(reason=Reason.OK, message="x"),
    "exit code of a success": Outcome(reason=Reason.OK, exit_code=1),
    "exit code of a trap": Outcome(reason=Reason.TRAPPED, message="x", exit_code=1),
    "memory": Outcome(reason=Reason.OK, memory_bytes=1 << 40),
    "limit of another reason": Outcome(reason=Reason.OUTPUT_LIMIT, message="x", limit="limits.memory"),
    "limit of no reason": Outcome(reason=Reason.TRAPPED, message="x", limit="limits.memory"),
    "limit that is none": Outcome(reason=Reason.OUTPUT_LIMIT, message="x", limit="\x1b[31m"),
    **{
        f"reason {reason.value}": Outcome(reason=reason, message="x")
        for reason in Reason
        if reason.value
        not in {"OK", "REJECTED", "EXITED", "TRAPPED", "DENIED", "UNSENT", "WORKER_MEMORY", "INTERNAL"}
    },
}
"""Results that break the limits of a function with an output of 1 KiB, by what is wrong."""

MALFORMED = {
    "unknown kind": struct.pack("<IIQ", 99, 0, 0),
    "head of 2^32 - 1 bytes": struct.pack("<IIQ", Kind.RESULT, 0xFFFF_FFFF, 0),
    "body of 2^62 bytes": struct.pack("<IIQ", Kind.RESULT, 0, 1 << 62),
    "body over the limit": struct.pack("<IIQ", Kind.OUTPUT, 0, KIB + 1),
    "head that is too short": struct.pack("<IIQ", Kind.RESULT, 1, 0) + b"\0",
    "reason that is none": struct.pack("<IIQ", Kind.RESULT, 24, 0) + b"\xff" * 24,
    "body of a control message": struct.pack("<IIQ", Kind.LOADED, 2, 1) + b"{}x",
    "head that is no JSON": struct.pack("<IIQ", Kind.LOADED, 2, 0) + b"[[",
    "deep JSON": struct.pack("<IIQ", Kind.LOADED, 60_000, 0) + b"[" * 60_000,
    "field of another type": struct.pack("<IIQ", Kind.LOADED, 13, 0) + b'{"index":[1]}',
}
"""Bytes that are no message, by what is wrong."""


@dataclass(kw_only=True)
class Worker:
    """
    The process that was taken over.

    Attributes:
        frames: Its socket to the server.
        index: Of the function that it was to run or load.
        counter: Where it counts the guests that it has begun.
        argument: What its attacker adds; at a LOAD the function's name, at a FORK the job.
    """

    frames: FrameSocket
    index: int = 0
    counter: StartCounter | None = None
    argument: str = ""

    def begin(self) -> None:
        """Say that the guest has begun."""
        assert self.counter is not None
        self.counter.begin()

    def send(self, *messages: Message | bytes) -> None:
        """Send messages, or bytes that are none, all at once."""
        pieces = [each if isinstance(each, bytes) else b"".join(wire.encode(each)) for each in messages]
        self.frames._sock.sendall(b"".join(pieces))  # noqa: SLF001


def _stay() -> NoReturn:
    while True:
        signal.pause()


def _fork(worker: Worker) -> None:
    """Fork: the child keeps the socket and standard error, and leaves the group or session; the parent ends."""
    read_end, write_end = os.pipe()
    worker.begin()
    if os.fork():
        # It has left its group by then.
        os.read(read_end, 1)
        os._exit(0)
    if worker.argument == "session":
        os.setsid()
    elif worker.argument == "group":
        os.setpgid(0, 0)
    os.write(write_end, b"\0")
    _stay()


def _fork_and_answer(worker: Worker) -> None:
    """Leave a process of another session behind, and answer as if nothing were."""
    worker.begin()
    if between := os.fork():
        os.waitpid(between, 0)
        worker.send(wire.Result(_OK))
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    _stay()


def _unbegun(worker: Worker) -> None:
    """Send a message in place of beginning the guest."""
    worker.send(_BY_KIND[worker.argument])
    _stay()


def _begun(worker: Worker) -> None:
    """Send a message while the guest runs."""
    worker.begin()
    worker.send(_BY_KIND[worker.argument])
    if worker.argument not in {"RESULT", "OUTPUT", "READ"}:
        _stay()
    if worker.argument != "RESULT":
        worker.send(wire.Result(Outcome(reason=Reason.OK)))


def _after_result(worker: Worker) -> None:
    """Send a message right after the result, while nothing runs."""
    worker.begin()
    worker.send(wire.Result(_OK), _BY_KIND[worker.argument])
    _stay()


def _after_call(worker: Worker) -> None:
    """Send a message while the answer to a call of Dapr's is awaited."""
    worker.begin()
    worker.send(_BY_KIND["DAPR_CALL"], _BY_KIND[worker.argument])
    _stay()


def _loading(worker: Worker) -> None:
    """Send a message in place of LOADED, where the function's name is ``load-<kind>``."""
    name, _, kind = worker.argument.partition("-")
    if name == "load":
        worker.send(_BY_KIND[kind.upper().replace("-", "_")])
        _stay()


def _lie(worker: Worker) -> None:
    """Send a result that breaks its function's limits."""
    worker.begin()
    outcome = LIES[worker.argument.replace("+", " ")]
    _send_lie(worker, outcome)
    _stay()


def _send_lie(worker: Worker, outcome: Outcome) -> None:
    # The server may cut the connection while the frame is on its way.
    try:
        worker.send(wire.Result(outcome))
    except OSError:
        sys.exit(1)


def _malform(worker: Worker) -> None:
    """Send bytes that are no message."""
    worker.begin()
    worker.send(MALFORMED[worker.argument.replace("+", " ")])
    _stay()


_FORGERY = "\x1b[2K\r\n10:00:00 ERROR   forged\n"


def _print(worker: Worker) -> None:
    """Print what a log must not show."""
    worker.begin()
    os.write(2, _FORGERY.encode() + b"x" * 300_000)
    worker.send(wire.Result(_OK))


def _fail_to_load(worker: Worker) -> None:
    """Say in place of LOADED what a log must not show, where the function is called ``refused``."""
    if worker.argument == "refused":
        worker.send(wire.LoadFailed(worker.index, _FORGERY + "x" * 50_000))
        os._exit(1)


def _drip(worker: Worker) -> None:
    """Send a result byte by byte."""
    worker.begin()
    for byte in b"".join(wire.encode(wire.Result(_OK))):
        worker.send(bytes([byte]))


def _never_end(worker: Worker) -> None:
    """Begin a message and never end it."""
    worker.begin()
    worker.send(struct.pack("<IIQ", Kind.RESULT, 24, 100) + bytes(24))
    _stay()


def _flood(worker: Worker) -> None:
    """Send the same message again and again."""
    worker.begin()
    many = b"".join(wire.encode(_BY_KIND[worker.argument])) * 1000
    while True:
        worker.send(many)


def _beg(worker: Worker) -> None:
    """Ask for input and stop waiting, again and again, without waiting for an answer."""
    worker.begin()
    many = b"".join((*wire.encode(wire.Read(1, 0)), *wire.encode(wire.Resume()))) * 1000
    while True:
        worker.send(many)


def _trickle(worker: Worker) -> None:
    """Write single bytes as fast as the server takes them."""
    worker.begin()
    many = b"".join(wire.encode(wire.Output(b"x"))) * 1000
    while True:
        worker.send(many)


def _die(_: Worker) -> None:
    """End a moment after the process has said that it is ready."""
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))


def _bloat(worker: Worker) -> None:
    """Answer COMPILE with far more code than a small module makes."""
    try:
        worker.send(wire.Compiled(code=bytes(200 * MIB), minimum_bytes=0, imports=()))
    except OSError:
        sys.exit(1)
    _stay()


def _misstate(worker: Worker) -> None:
    """Answer COMPILE with an initial memory that no module has."""
    worker.send(wire.Compiled(code=b"code", minimum_bytes=-1, imports=()))
    _stay()


def _name_another(worker: Worker) -> bool:
    """Answer every second FORK of a template with the id of a process that the server has already."""
    _asked.append(worker.argument)
    if _asked.count("worker") != 2:
        return True
    worker.send(wire.Forked(os.getpid()))
    return False


_asked: list[str] = []


def _flood_answers(worker: Worker) -> bool:
    """Fork two workers as asked, and answer again and again from then on."""
    _asked.append(worker.argument)
    if _asked.count("worker") == 2 and not os.fork():
        many = b"".join(wire.encode(wire.Forked(1))) * 1000
        time.sleep(0.2)
        while True:
            worker.send(many)
    return True


Attack = Callable[[Worker], "bool | None"]
"""One that returns true is followed by what the process would have done."""

ATTACKS: dict[str, Attack] = {
    "after-call": _after_call,
    "after-result": _after_result,
    "beg": _beg,
    "begun": _begun,
    "bloat": _bloat,
    "die": _die,
    "drip": _drip,
    "flood": _flood,
    "flood-answers": _flood_answers,
    "fail-to-load": _fail_to_load,
    "fork": _fork,
    "fork-and-answer": _fork_and_answer,
    "lie": _lie,
    "loading": _loading,
    "malform": _malform,
    "misstate": _misstate,
    "name-another": _name_another,
    "never-end": _never_end,
    "print": _print,
    "trickle": _trickle,
    "unbegun": _unbegun,
}
"""By the name in a query or flag."""
