"""
A worker without an engine, whose faults are its arguments: see `_parse`.

It keeps every rule that it is not told to break. Its other arguments are those of a worker.
"""

from __future__ import annotations

import argparse
import mmap
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from wasm_grpc import __version__
from wasm_grpc.core.model import Outcome, Reason
from wasm_grpc.core.start_counter import StartCounter
from wasm_grpc.core.wire import (
    WIRE_VERSION,
    DaprAnswer,
    DaprCall,
    EngineFailed,
    EngineOpened,
    Fork,
    Forked,
    FrameReader,
    Hello,
    Invoke,
    Load,
    Loaded,
    Message,
    Result,
    decode,
    encode,
)
from wasm_grpc.worker.confinement import end_with_parent
from wasm_grpc.worker.template import fork_twice

__all__: list[str] = []

_OPENED = EngineOpened(python="P 1", version="1", target="t", missing_walls=(), limits_instances=True)
_PIECE_BYTES = 1 << 20
_waitpid = os.waitpid
_loaders: dict[int, int] = {}
"""Which process has loaded each function; a fork copies it."""


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    fault = (
        "exit:CODE, leave-and-exit:CODE (a child stays), kill, pause, close (the socket, then pause) "
        "or send:HEX (those bytes, then pause)"
    )
    parser.add_argument("--once", type=Path, help="do a fault only where this file is missing, and make it")
    parser.add_argument("--at-start", type=_Fault, help=f"instead of the hello: {fault}")
    parser.add_argument("--package", default=__version__, help="the version that it says it has")
    parser.add_argument("--engine-error", help="why it has no engine")
    parser.add_argument("--at-engine", type=_Fault, help=f"instead of ENGINE_OPENED: {fault}")
    parser.add_argument("--print", action="append", default=[], help="a piece to print on standard error")
    parser.add_argument("--at-load", type=_Fault, help=f"instead of LOADED: {fault}")
    parser.add_argument("--at-load-of", help="at the LOAD of this function alone")
    parser.add_argument("--at-load-in", choices=["template"], help="at a LOAD in a process that forks alone")
    parser.add_argument("--at-fork", type=_Fault, help=f"instead of FORKED: {fault}")
    parser.add_argument("--amid-fork", type=_Fault, help=f"once a fork has left two processes: {fault}")
    parser.add_argument("--at-task", type=_Fault, help=f"instead of an answer to COMPILE or INSPECT: {fault}")
    parser.add_argument("--load-s", type=float, default=0, help="seconds that each LOAD takes")
    parser.add_argument("--at-invoke", type=_Fault, help=f"instead of RESULT: {fault}")
    parser.add_argument("--at-invoke-of", help="at the INVOKE with this body alone")
    parser.add_argument("--is-begun", action="store_true", help="the fault comes after a guest has begun")
    parser.add_argument("--repeat-loaded-s", type=float, help="send LOADED again and again instead of RESULT")
    parser.add_argument("--invoke-s", type=float, default=0, help="seconds that each INVOKE takes")
    parser.add_argument("--answer", choices=sorted(_ANSWERS), default="body", help="what a result holds")
    parser.add_argument("--calls", type=int, default=0, help="calls to Dapr, each answered, before RESULT")
    parser.add_argument("--taint", action="store_true", help="say that it ends, and stay")
    # A worker's own.
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--counter", type=int, required=True)
    parser.add_argument("--forks", type=int)
    return parser.parse_known_args(argv)[0]


class _Fault:
    def __init__(self, text: str) -> None:
        self._name, _, self._argument = text.partition(":")

    def happen(self, sock: socket.socket, once: Path | None = None) -> None:
        """Do it, and do not return; with `once` only where this file is missing."""
        if once is not None:
            try:
                once.touch(exist_ok=False)
            except FileExistsError:
                return
        if self._name == "exit":
            os._exit(int(self._argument))
        elif self._name == "leave-and-exit":
            # The child keeps what it inherited, standard error among it, until the test's process ends.
            if os.fork():
                os._exit(int(self._argument))
            sock.close()
            end_with_parent()
        elif self._name == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self._name == "send":
            sock.sendall(bytes.fromhex(self._argument))
        elif self._name == "close":
            sock.close()
        while True:
            signal.pause()


class _FakeWorker:
    def __init__(
        self, options: argparse.Namespace, connection: int, counter: int, forks: int | None = None
    ) -> None:
        self._options = options
        self._socket = socket.socket(fileno=connection)
        self._counter_fd = counter
        self._counter = StartCounter(mmap.mmap(counter, StartCounter.SIZE))
        self._forks = None if forks is None else socket.socket(fileno=forks)

    def run(self) -> None:
        options = self._options
        if options.at_start:
            options.at_start.happen(self._socket, options.once)
        self._send(Hello(options.package, WIRE_VERSION))
        if options.at_engine:
            options.at_engine.happen(self._socket, options.once)
        self._send(EngineFailed(options.engine_error) if options.engine_error else _OPENED)
        for piece in options.print:
            sys.stderr.write(piece)
            sys.stderr.flush()
            # So that it is read in these pieces.
            time.sleep(0.05)
        self.serve()

    def serve(self) -> None:
        """Answer what the server sends, until it closes the socket."""
        options = self._options
        self._messages = self._received()
        for message in self._messages:
            if isinstance(message, Load):
                self._load(message)
            elif isinstance(message, Invoke):
                self._invoke(message)
            elif isinstance(message, Fork):
                self._fork()
            elif options.at_task:
                options.at_task.happen(self._socket, options.once)

    def _fork(self) -> None:
        assert self._forks is not None
        if self._options.at_fork:
            self._options.at_fork.happen(self._socket, self._options.once)
        _, descriptors, _, _ = socket.recv_fds(self._forks, 1, 4)
        if self._options.amid_fork:
            os.waitpid = self._happen_amid_fork
        if pid := fork_twice():
            for descriptor in descriptors:
                os.close(descriptor)
            self._send(Forked(pid))
            return
        self._socket.close()
        self._forks.close()
        connection, stderr, counter, *forks = descriptors
        os.dup2(stderr, sys.stderr.fileno())
        os.close(stderr)
        _FakeWorker(self._options, connection, counter, *forks).serve()
        os._exit(0)

    def _happen_amid_fork(self, pid: int, options: int) -> tuple[int, int]:
        self._options.amid_fork.happen(self._socket, self._options.once)
        return _waitpid(pid, options)

    def _load(self, message: Load) -> None:
        options = self._options
        is_here = options.at_load_in is None or self._forks is not None
        if options.at_load and is_here and options.at_load_of in {None, message.function.name}:
            if options.is_begun:
                self._counter.begin()
            options.at_load.happen(self._socket, options.once)
        time.sleep(options.load_s)
        _loaders[message.index] = os.getpid()
        self._send(Loaded(message.index))

    def _invoke(self, message: Invoke) -> None:
        options = self._options
        fault = options.at_invoke if options.at_invoke_of in {None, message.body.decode()} else None
        if fault and not options.is_begun:
            fault.happen(self._socket, options.once)
        self._counter.begin()
        if fault:
            fault.happen(self._socket, options.once)
        while options.repeat_loaded_s:
            self._send(Loaded(message.index))
            time.sleep(options.repeat_loaded_s)
        time.sleep(options.invoke_s)
        if options.calls:
            self._call_dapr(message)
            return
        outcome = Outcome(reason=Reason.OK, body=_ANSWERS[options.answer](message, self._counter_fd))
        self._send(Result(outcome, options.taint))
        while options.taint:
            signal.pause()

    def _call_dapr(self, message: Invoke) -> None:
        """Call Dapr with the body as the request, and answer with what came back."""
        answers = []
        for _ in range(self._options.calls):
            self._send(DaprCall("GetState", is_json=True, request=message.body))
            answer = next(self._messages)
            assert isinstance(answer, DaprAnswer)
            answers.append(f"{answer.status.value}:{answer.response.decode()}")
        self._send(Result(Outcome(reason=Reason.OK, body=",".join(answers).encode())))

    def _received(self) -> Iterator[Message]:
        reader = FrameReader(body_limit=1 << 30)
        while piece := self._socket.recv(_PIECE_BYTES):
            yield from map(decode, reader.feed(piece))

    def _send(self, message: Message) -> None:
        self._socket.sendall(b"".join(encode(message)))


def _body(message: Invoke, _: int) -> bytes:
    return message.body


def _pid(_: Invoke, __: int) -> bytes:
    return b"%d" % os.getpid()


def _loader(message: Invoke, _: int) -> bytes:
    """Say which process has loaded the function: this one, or its template."""
    return b"%d %d" % (_loaders[message.index], os.getpid())


def _resizing_errors(_: Invoke, counter: int) -> bytes:
    """Try to resize the memory that is shared with the server."""
    errors = b""
    for size in (0, 1 << 20):
        try:
            os.ftruncate(counter, size)
        except OSError as exc:
            errors += str(exc.strerror).encode() + b"; "
    return errors


_ANSWERS: dict[str, Callable[[Invoke, int], bytes]] = {
    "body": _body,
    "loader": _loader,
    "pid": _pid,
    "resizing-errors": _resizing_errors,
}


def _main(argv: Sequence[str]) -> None:
    os.setpgid(0, 0)
    options = _parse(argv)
    _FakeWorker(options, options.fd, options.counter, options.forks).run()


if __name__ == "__main__":
    _main(sys.argv[1:])
