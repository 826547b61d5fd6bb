"""The worker's loop: load functions, run invocations one at a time, and answer each of them."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from wasm_grpc.core.artifact import read_payload
from wasm_grpc.core.errors import ProtocolError, WasmGrpcError
from wasm_grpc.core.model import Inference, Outcome, Reason, WorkerFunction
from wasm_grpc.core.start_counter import StartCounter
from wasm_grpc.core.wire import Input, Invoke, Load, Loaded, LoadFailed, Result, encode_env, out_of_place
from wasm_grpc.engines.protocol import Engine, Prepared
from wasm_grpc.guests.protocol import Ending, Guest, GuestCall, ReadyGuest
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.hosts.nn.state import InferenceGrants
from wasm_grpc.hosts.wasi.context import encode_strings, query_arguments
from wasm_grpc.hosts.wasi.mounts import FileSystem
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr, Stdin, Stdout
from wasm_grpc.inference.models import Models
from wasm_grpc.inference.registry import open_backend
from wasm_grpc.worker.frame_socket import FrameSocket, SocketStderr, SocketStdin, SocketStdout

__all__ = ["serve"]


@dataclass(slots=True)
class _Loaded:
    function: WorkerFunction
    args: bytes
    env: bytes
    guest: Guest
    prepared: Prepared
    files: FileSystem
    inference: InferenceGrants
    ready: ReadyGuest | None = None


_Table = dict[int, "_Loaded | str"]
"""By index: a loaded function, or the reason why it could not be loaded."""


def serve(frames: FrameSocket, engine: Engine, counter: StartCounter) -> int:
    """
    Answer the server's messages until it closes the socket, and return the exit code.

    Args:
        frames: The socket to the server.
        engine: The engine that runs the guests.
        counter: Counts each guest before it starts.

    Raises:
        ProtocolError: The server broke the protocol.
    """
    loaded: _Table = {}
    models = Models(open_backend)
    while True:
        message = frames.receive()
        if isinstance(message, Invoke):
            if _invoke(frames, counter, loaded, message):
                return 1
        elif isinstance(message, Load):
            _load(frames, engine, models, loaded, message)
        elif isinstance(message, Input):
            # The guest has ended without reading this input, which was already on its way.
            continue
        elif message is None:
            return 0
        else:
            raise out_of_place(message, "LOAD or INVOKE")


def _load(frames: FrameSocket, engine: Engine, models: Models, loaded: _Table, message: Load) -> None:
    index, function = message.index, message.function
    try:
        guest = guest_for(function.guest)
        prepared = _loaded_before(loaded, function) or engine.load(
            read_payload(function.artifact, function.digest), guest.hosts
        )
        args = encode_strings((function.name, *function.args))
        files = FileSystem(function.mounts, scratch_bytes=function.limits.scratch_bytes)
        inference = _grants(function.inference, models)
        entry = _Loaded(function, args, encode_env(function.env), guest, prepared, files, inference)
        # An instance that can't be made is reported now, and not to the first caller.
        _prepare(entry)
    except (WasmGrpcError, OSError, MemoryError) as exc:
        error = loaded[index] = str(exc) or type(exc).__name__
        frames.send(LoadFailed(index, error))
        return
    loaded[index] = entry
    frames.send(Loaded(index))


def _loaded_before(loaded: _Table, function: WorkerFunction) -> Prepared | None:
    """
    Return the loaded module of another function, if it has the same native code and guest interface.
    """
    for entry in loaded.values():
        if (
            isinstance(entry, _Loaded)
            and entry.function.digest == function.digest
            and entry.function.guest is function.guest
        ):
            return entry.prepared
    return None


def _grants(inference: Inference, models: Models) -> InferenceGrants:
    if not inference.is_granted:
        return InferenceGrants()
    # Open the backend now, so that the first call of a guest that brings its own model does not wait for it.
    _ = models.backend
    return InferenceGrants(
        models={model.name: models.named(model) for model in inference.models},
        load=models.supplied if inference.may_load else None,
        tensor_types=inference.tensor_types,
    )


def _invoke(frames: FrameSocket, counter: StartCounter, loaded: _Table, message: Invoke) -> bool:
    """
    Run an invocation and answer it. Return true if this process must end.
    """
    entry = loaded.get(message.index)
    if entry is None:
        raise ProtocolError(f"INVOKE frame: index: {message.index}; expected that of a LOAD frame")
    # Even if no guest will start: the server compares the count with the number of invocations that it sent.
    counter.begin()
    if isinstance(entry, str):
        frames.send(Result(Outcome(reason=Reason.UNAVAILABLE, message=f"it can't be loaded: {entry}")))
        return False
    ending = _run(frames, entry, message)
    frames.send(Result(ending.outcome, ending.is_process_tainted))
    # After the answer, so that the caller does not wait for the next instance.
    if not ending.is_process_tainted:
        _prepare(entry)
    return ending.is_process_tainted


def _run(frames: FrameSocket, entry: _Loaded, message: Invoke) -> Ending:
    limits = entry.function.limits
    stdin: Stdin
    stdout: Stdout
    if message.streams:
        stdin, stdout = SocketStdin(frames), SocketStdout(frames, limits.output_bytes)
    else:
        stdin, stdout = BytesStdin(message.body), CollectedStdout(limits.result_bytes)
    env = entry.env + message.env
    call = GuestCall(
        args=entry.args + query_arguments(env) if entry.function.takes_query else entry.args,
        env=env,
        stdin=stdin,
        stdout=stdout,
        stderr=SocketStderr(frames, limits.stderr_bytes)
        if message.follows_log
        else Stderr(limits.stderr_bytes),
        limits=limits,
        preopens=entry.files.preopens(),
        inference=entry.inference,
    )
    if limits.cpu_s is not None:
        signal.setitimer(signal.ITIMER_PROF, limits.cpu_s)
    try:
        ready, entry.ready = entry.ready or _instance_of(entry), None
        return ready.run(call)
    except MemoryError:
        outcome = Outcome(reason=Reason.WORKER_MEMORY, message="its worker ran out of memory")
    except Exception as exc:  # noqa: BLE001 - the edge
        # A bug of ours: it ends this invocation and, since the state is unknown, this process.
        outcome = Outcome(reason=Reason.INTERNAL, message=f"internal error: {type(exc).__name__}: {exc}")
    finally:
        # Disarm the timer, or it would kill this process during a later invocation.
        if limits.cpu_s is not None:
            signal.setitimer(signal.ITIMER_PROF, 0)
    return Ending(outcome=outcome, is_process_tainted=True)


def _prepare(entry: _Loaded) -> None:
    """
    Make the instance for the next invocation, while no caller is waiting.
    """
    if entry.function.prepared:
        entry.ready = _instance_of(entry)


def _instance_of(entry: _Loaded) -> ReadyGuest:
    return entry.guest.ready(entry.prepared, entry.function.limits)
