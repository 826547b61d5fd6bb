"""
A template: a process that loads functions once, and forks the processes that have them from then on.

Theory of operation. The server asks with FORK, and sends the descriptors of the new process over a second
socket. The template then forks twice and waits for the process in between, so the kernel makes the new one a
child of the server (which is a *subreaper*, see prctl(2)): the server can wait for it and the kernel can kill
it when the server dies, while it outlives the template.

What the new process shares with its template are the pages of memory that neither writes to. It has a
connection, a start counter and a standard error of its own. It inherits the limits, the empty environment
and the ignored signals. Once it has imported all that it needs, it puts up walls of its own (see `walls`)
within those of its template, so that it can signal neither the template nor its siblings.

A fork copies only the thread that calls it, and whatever lock another thread held stays locked in the copy.
So no template may start a thread, and a function whose model runs on several is not loaded into one.
"""

from __future__ import annotations

import errno
import gc
import mmap
import os
import socket
import traceback
from typing import NoReturn

from wasm_grpc.core.start_counter import StartCounter
from wasm_grpc.core.wire import (
    Compile,
    Describe,
    FindDecoder,
    Fork,
    Forked,
    ForkFailed,
    ForkJob,
    Inspect,
    Load,
    out_of_place,
)
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.worker.confinement import end_with_parent, limit_cpu, limit_memory, name_process
from wasm_grpc.worker.frame_socket import FrameSocket
from wasm_grpc.worker.functions import LoadedFunctions
from wasm_grpc.worker.loop import serve
from wasm_grpc.worker.walls import put_up_walls

__all__ = ["fork_twice", "serve_template"]

_DESCRIPTORS = 4
_STDERR = 2


def serve_template(frames: FrameSocket, forks: socket.socket, functions: LoadedFunctions) -> int:
    """
    Load and fork as the server says until it closes the socket, and return the exit code.

    Args:
        frames: The socket to the server.
        forks: Brings the descriptors of each process that is to be forked: its socket, standard error and
            start counter, and `forks` of its own if it is a template too.
        functions: What it has loaded.

    Raises:
        ProtocolError: The server broke the protocol.
    """
    server = os.getppid()
    is_settled = False
    while True:
        message = frames.receive()
        if isinstance(message, Load):
            frames.send(functions.load(message))
            is_settled = False
        elif isinstance(message, Fork):
            if not is_settled:
                # A collection writes to each object that it visits: each child would copy all their pages.
                gc.collect()
                gc.freeze()
                is_settled = True
            _fork(frames, forks, functions, message, server=server)
        elif message is None:
            return 0
        else:
            raise out_of_place(message, "LOAD or FORK")


def _fork(
    frames: FrameSocket, forks: socket.socket, functions: LoadedFunctions, message: Fork, *, server: int
) -> None:
    _, descriptors, _, _ = socket.recv_fds(forks, 1, _DESCRIPTORS)
    answer: Forked | ForkFailed
    try:
        pid = fork_twice()
    except OSError as exc:
        answer = ForkFailed(exc.strerror or type(exc).__name__)
    else:
        if not pid:
            frames.close()
            forks.close()
            _be_forked(functions, message, descriptors, server=server)
        answer = Forked(pid)
    for descriptor in descriptors:
        os.close(descriptor)
    frames.send(answer)


def fork_twice() -> int:
    """
    Return the pid of a grandchild that is no longer a child of this process; 0 in the grandchild.

    Raises:
        OSError: The kernel has no process left for it.
    """
    pid_end, between_end = os.pipe()
    try:
        between = os.fork()
    except OSError:
        os.close(pid_end)
        os.close(between_end)
        raise
    if not between:
        os.close(pid_end)
        return _fork_between(os.getpid(), between_end)
    os.close(between_end)
    with os.fdopen(pid_end, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(between, 0)
    if not answer:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return int(answer)


def _fork_between(between: int, between_end: int) -> int:
    """
    Fork, report the child's pid, and end; return 0 in the child once its parent has ended.
    """
    try:
        if child := os.fork():
            os.write(between_end, b"%d" % child)
    except OSError:
        child = -1
    if child:
        os._exit(0)
    os.close(between_end)
    while os.getppid() == between:
        # For microseconds: it does nothing any more but exit.
        os.sched_yield()
    return 0


def _be_forked(functions: LoadedFunctions, message: Fork, descriptors: list[int], *, server: int) -> NoReturn:
    """
    Be the process that was asked for, until it exits.
    """
    code = 1
    try:
        connection, stderr, counter, *forks = descriptors
        os.dup2(stderr, _STDERR)
        os.close(stderr)
        end_with_parent()
        # Else the server ended before the kernel was told.
        if os.getppid() == server:
            code = _serve(functions, message, connection, counter, forks)
    except BaseException:  # noqa: BLE001 - the edge: the template's own loop must not go on here
        traceback.print_exc()
    finally:
        # Not `sys.exit`: what the template would do at its end is not this process's to do.
        os._exit(code)


def _serve(functions: LoadedFunctions, message: Fork, connection: int, counter: int, forks: list[int]) -> int:
    name_process(message.job.value)
    if message.memory_bytes:
        limit_memory(message.memory_bytes)
    if message.cpu_s:
        limit_cpu(message.cpu_s)
    frames = FrameSocket(socket.socket(fileno=connection))
    memory = mmap.mmap(counter, StartCounter.SIZE) if message.job is ForkJob.WORKER else None
    os.close(counter)
    if message.job is ForkJob.COMPILER:
        _do_one_task(frames, functions.engine)
        return 0
    functions.import_libraries(infers=message.infers, decodes=message.decodes)
    put_up_walls(
        [os.fsdecode(path) for path in message.files.split(b"\0")[:-1]],
        infers=message.infers,
        forks=memory is None,
        has_threads=message.has_threads,
    )
    if memory is None:
        return serve_template(frames, socket.socket(fileno=forks[0]), functions)
    return serve(frames, functions, StartCounter(memory))


def _do_one_task(frames: FrameSocket, engine: Engine) -> None:
    # Not at the top, because no other process needs them, and imports take most of the time of a start.
    from wasm_grpc.worker.compiling import compile_one  # noqa: PLC0415
    from wasm_grpc.worker.describing import describe_one  # noqa: PLC0415
    from wasm_grpc.worker.inspecting import find_decoder, inspect_one  # noqa: PLC0415

    task = frames.receive()
    if isinstance(task, Compile):
        # An engine compiles on every core.
        put_up_walls(has_threads=True)
        compile_one(frames, engine, task)
    elif isinstance(task, Describe):
        put_up_walls()
        describe_one(frames, task)
    elif isinstance(task, Inspect):
        inspect_one(frames, task)
    elif isinstance(task, FindDecoder):
        find_decoder(frames)
    elif task is not None:
        raise out_of_place(task, "COMPILE, DESCRIBE, INSPECT or FIND_DECODER")
