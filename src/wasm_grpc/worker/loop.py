"""The worker's loop: load functions, run invocations one at a time, and answer each of them."""

from __future__ import annotations

import contextlib
import signal
import sys

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.memory_limits import over_worker_memory
from wasm_grpc.core.model import Outcome, Reason
from wasm_grpc.core.start_counter import StartCounter
from wasm_grpc.core.wire import Input, Invoke, Load, Result, out_of_place
from wasm_grpc.guests.protocol import Ending, GuestCall
from wasm_grpc.hosts.wasi.context import query_arguments
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr, Stdin, Stdout
from wasm_grpc.worker.dapr import SocketDapr
from wasm_grpc.worker.frame_socket import FrameSocket, SocketStderr, SocketStdin, SocketStdout
from wasm_grpc.worker.functions import LoadedFunction, LoadedFunctions, ProcessTainted

__all__ = ["serve"]


def serve(frames: FrameSocket, functions: LoadedFunctions, counter: StartCounter) -> int:
    """
    Answer the server's messages until it closes the socket, and return the exit code.

    Args:
        frames: The socket to the server.
        functions: What this process has loaded; a process that was forked has some already.
        counter: Counts each guest before it starts.

    Raises:
        ProtocolError: The server broke the protocol.
    """
    _warm_up(frames, functions)
    try:
        return _serve(frames, functions, counter)
    except ProcessTainted as exc:
        # For the server's log. Another process answers in place of this one.
        sys.stderr.write(f"{exc}\n")
        return 1


def _serve(frames: FrameSocket, functions: LoadedFunctions, counter: StartCounter) -> int:
    while True:
        message = frames.receive()
        if isinstance(message, Invoke):
            if _invoke(frames, counter, functions, message):
                return 1
        elif isinstance(message, Load):
            frames.send(functions.load(message))
        elif isinstance(message, Input):
            # The guest has ended without reading this input, which was already on its way.
            continue
        elif message is None:
            return 0
        else:
            raise out_of_place(message, "LOAD or INVOKE")


def _warm_up(frames: FrameSocket, functions: LoadedFunctions) -> None:
    """
    Run the warm-ups of a process that was forked, until the first message comes.
    """
    # If memory is short, the invocation that needs it reports that.
    with contextlib.suppress(MemoryError):
        for warm_up in functions.warm_ups():
            if frames.wait(0):
                return
            warm_up()


def _invoke(frames: FrameSocket, counter: StartCounter, functions: LoadedFunctions, message: Invoke) -> bool:
    """
    Run an invocation and answer it. Return true if this process must end.
    """
    entry = functions.get(message.index)
    if entry is None:
        raise ProtocolError(f"INVOKE frame: index: {message.index}; expected that of a LOAD frame")
    # Even if no guest will start: the server compares the count with the number of invocations that it sent.
    counter.begin()
    if isinstance(entry, str):
        frames.send(Result(Outcome(reason=Reason.UNAVAILABLE, message=f"it can't be loaded: {entry}")))
        return False
    ending = _run(frames, entry, message)
    frames.send(Result(ending.outcome, ending.is_process_tainted))
    # After the answer: the caller waits neither until this instance is freed nor for the next one.
    if not ending.is_process_tainted:
        entry.release()
        functions.prepare(entry)
    return ending.is_process_tainted


def _run(frames: FrameSocket, entry: LoadedFunction, message: Invoke) -> Ending:
    limits = entry.function.limits
    stdin: Stdin
    stdout: Stdout
    if message.streams:
        stdin, stdout = SocketStdin(frames), SocketStdout(frames, limits.output_bytes)
    else:
        stdin, stdout = BytesStdin(message.body), CollectedStdout(limits.result_bytes)
    stderr = SocketStderr(frames, limits.stderr_bytes) if message.follows_log else Stderr(limits.stderr_bytes)
    env = entry.env + message.env
    call = GuestCall(
        args=entry.args + query_arguments(env) if entry.function.takes_query else entry.args,
        env=env,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        limits=limits,
        preopens=entry.files.preopens(stderr),
        states=entry.states,
        operation=message.operation,
        has_arguments=message.has_arguments,
        dapr=SocketDapr(frames, stdin, limits) if entry.function.grants.dapr.is_granted else None,
    )
    if limits.cpu_s is not None:
        signal.setitimer(signal.ITIMER_PROF, limits.cpu_s)
    try:
        return entry.run(call)
    except MemoryError:
        problem = over_worker_memory("its worker ran out of memory")
        outcome = Outcome(reason=Reason.WORKER_MEMORY, message=problem)
    except Exception as exc:  # noqa: BLE001 - the edge
        # A bug of ours: it ends this invocation and, since the state is unknown, this process.
        outcome = Outcome(reason=Reason.INTERNAL, message=f"internal error: {type(exc).__name__}: {exc}")
    finally:
        # Disarm the timer, or it would kill this process during a later invocation.
        if limits.cpu_s is not None:
            signal.setitimer(signal.ITIMER_PROF, 0)
    return Ending(outcome=outcome, is_process_tainted=True)
