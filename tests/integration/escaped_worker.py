"""
A worker whose engine was escaped from: the real one, confined as ever, that runs code with what the process has.

An invocation's body that begins with ``#escape`` is Python code, and so is an argument in the manifest of a function
that is loaded, and whatever follows on these letters in a module that is compiled. What the code calls `answer` is the answer, as text. Its arguments are those of a worker,
and ``--without=`` walls that its kernel shall lack, by their names.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from wasm_grpc.core.model import Outcome, Reason
from wasm_grpc.core.wire import Compile, CompileRefused, Invoke, Load, Loaded, LoadFailed
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.guests.protocol import Ending
from wasm_grpc.worker import __main__ as program
from wasm_grpc.worker import compiling, landlock, loop, seccomp
from wasm_grpc.worker.frame_socket import FrameSocket
from wasm_grpc.worker.functions import LoadedFunction, LoadedFunctions

__all__: list[str] = []

MARK = b"#escape\n"
MODULES = (ctypes, errno, fcntl, mmap, os, resource, select, signal, socket, sys, threading, time)
"""Imported before the walls are up: an attacker brings what they need."""

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
_run = loop._run  # noqa: SLF001 - where an escape takes over
_load = LoadedFunctions.load
_compile_one = compiling.compile_one


def attempt(action: Callable[[], Any]) -> str:
    """Return "done", or the name of the error by which the system refused it."""
    try:
        action()
    except OSError as exc:
        return errno.errorcode.get(exc.errno or 0, str(exc))
    except MemoryError:
        return "ENOMEM"
    return "done"


def call(number: int, *arguments: Any) -> int:
    """Make a system call."""
    result = int(libc.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def _escape(code: bytes, **variables: object) -> str:
    names = {module.__name__: module for module in MODULES}
    scope: dict[str, Any] = {**names, "attempt": attempt, "call": call, "libc": libc, **variables}
    try:
        exec(code.decode(), scope)  # noqa: S102 - that is what it is for
    except Exception as exc:  # noqa: BLE001
        return f"{type(exc).__name__}: {exc}"
    return str(scope["answer"])


def _run_escaped(frames: FrameSocket, entry: LoadedFunction, message: Invoke) -> Ending:
    if not message.body.startswith(MARK):
        return _run(frames, entry, message)
    answer = _escape(message.body, frames=frames, entry=entry)
    return Ending(outcome=Outcome(reason=Reason.OK, body=answer.encode()))


def _load_escaped(functions: LoadedFunctions, message: Load) -> Loaded | LoadFailed:
    code = [each.encode() for each in message.function.args if each.encode().startswith(MARK)]
    if not code:
        return _load(functions, message)
    return LoadFailed(message.index, _escape(code[0]))


def _compile_escaped(frames: FrameSocket, engine: Engine, task: Compile) -> None:
    _, mark, code = task.module.partition(MARK)
    if not mark:
        _compile_one(frames, engine, task)
        return
    frames.send(CompileRefused((_escape(code),), is_unsupported=False))


def _lack(walls: str) -> None:
    if "landlock" in walls:
        landlock._version = lambda: 0  # noqa: SLF001
    if "seccomp" in walls:
        seccomp.is_available = lambda: False


if __name__ == "__main__":
    _lack("".join(flag for flag in sys.argv if flag.startswith("--without=")))
    loop._run = _run_escaped  # noqa: SLF001
    LoadedFunctions.load = _load_escaped  # type: ignore[assignment,method-assign]
    compiling.compile_one = _compile_escaped
    sys.exit(program.main([flag for flag in sys.argv if flag.startswith("--")]))
