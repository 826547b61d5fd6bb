"""
A worker that was taken over: the real one, confined as ever, that does what an invocation's query says.

The query names one of `ATTACKS`, and the rest of it is that attack's argument: ``flood=READ``. A call with another
query is answered as ever. The flags of the program name attacks at other moments: ``--at-load=NAME`` in a worker or
template that is to load a function, ``--at-compile=NAME`` in a compile process, ``--at-fork=NAME`` in a template, ``--at-start=NAME``
in a worker that was just forked. With ``--without=seccomp`` it is as on a kernel that lacks this wall.
"""

# ruff: noqa: SLF001 - it takes the place of what is private.

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from hostile.attacks import ATTACKS, Attack, Worker
from wasm_grpc.core.start_counter import StartCounter
from wasm_grpc.core.wire import Compile, Fork, Invoke, Load, Loaded, LoadFailed
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.worker import __main__ as program
from wasm_grpc.worker import compiling, loop, seccomp, template
from wasm_grpc.worker.frame_socket import FrameSocket
from wasm_grpc.worker.functions import LoadedFunctions

__all__: list[str] = []

_invoke = loop._invoke
_load = LoadedFunctions.load
_compile_one = compiling.compile_one
_fork = template._fork
_serve = loop.serve
_make_frames = FrameSocket.__init__
_sockets: list[FrameSocket] = []
"""Those of this process and of its templates; the last is its own."""


def _attack_or_invoke(
    frames: FrameSocket, counter: StartCounter, functions: LoadedFunctions, message: Invoke
) -> bool:
    for variable in message.env.split(b"\0"):
        name, _, value = variable.decode().partition("=")
        attack, _, argument = value.partition("=")
        if name == "QUERY_STRING" and attack in ATTACKS:
            ATTACKS[attack](Worker(frames=frames, index=message.index, counter=counter, argument=argument))
            return False
    return _invoke(frames, counter, functions, message)


def _attack_loads(attack: Attack) -> None:
    def load(functions: LoadedFunctions, message: Load) -> Loaded | LoadFailed:
        attack(Worker(frames=_sockets[-1], index=message.index, argument=message.function.name))
        return _load(functions, message)

    def note(frames: FrameSocket, sock: socket.socket) -> None:
        _make_frames(frames, sock)
        _sockets.append(frames)

    LoadedFunctions.load = load  # type: ignore[assignment,method-assign]
    FrameSocket.__init__ = note  # type: ignore[assignment,method-assign]


def _attack_workers(attack: Attack) -> None:
    def serve(frames: FrameSocket, functions: LoadedFunctions, counter: StartCounter) -> int:
        attack(Worker(frames=frames, counter=counter))
        return _serve(frames, functions, counter)

    template.serve = serve  # type: ignore[attr-defined]


def _attack_compiling(attack: Attack) -> None:
    def compile_one(frames: FrameSocket, engine: Engine, task: Compile) -> None:
        if attack(Worker(frames=frames)):
            _compile_one(frames, engine, task)

    compiling.compile_one = compile_one


def _attack_forks(attack: Attack) -> None:
    def fork(
        frames: FrameSocket, forks: socket.socket, functions: LoadedFunctions, message: Fork, *, server: int
    ) -> None:
        if attack(Worker(frames=frames, argument=message.job.value)):
            _fork(frames, forks, functions, message, server=server)

    template._fork = fork


_MOMENTS: dict[str, Callable[[Attack], None]] = {
    "--at-compile": _attack_compiling,
    "--at-fork": _attack_forks,
    "--at-load": _attack_loads,
    "--at-start": _attack_workers,
}


def _main(argv: list[str]) -> int:
    own = []
    for flag in argv:
        name, _, attack = flag.partition("=")
        if name in _MOMENTS:
            _MOMENTS[name](ATTACKS[attack])
        elif flag == "--without=seccomp":
            seccomp.is_available = lambda: False
        elif flag.startswith("--"):
            own.append(flag)
    loop._invoke = _attack_or_invoke
    return program.main(own)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
