"""The worker's loop: take up functions, run invocations one at a time, answer each."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from wasm_grpc.core.artifact import read_payload
from wasm_grpc.core.errors import ProtocolError, WasmGrpcError
from wasm_grpc.core.model import Inference, Outcome, Reason, WorkerFunction
from wasm_grpc.core.start_counter import StartCounter
from wasm_grpc.core.wire import Input, Invoke, Load, Loaded, LoadFailed, Result, encode_env
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
"""By index: the loaded function, or why it could not be loaded."""


def serve(frames: FrameSocket, engine: Engine, counter: StartCounter) -> int:
    """
    Answer the server's frames until it closes the socket; returns the exit code.
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
            # For a guest that ended before it had read all.
            continue
        elif message is None:
            return 0
        else:
            raise ProtocolError(f"{message.kind.name} frame where LOAD or INVOKE was expected")


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
        _prepare(entry)
    except (WasmGrpcError, OSError, MemoryError) as exc:
        error = loaded[index] = str(exc) or type(exc).__name__
        frames.send(LoadFailed(index, error))
        return
    loaded[index] = entry
    frames.send(Loaded(index))


def _loaded_before(loaded: _Table, function: WorkerFunction) -> Prepared | None:
    """
    Return what another function of the same native code and the same kind of guest runs on.
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
    # Also where the guest brings its model: its first call need not wait for the backend.
    _ = models.backend
    return InferenceGrants(
        models={model.name: models.named(model) for model in inference.models},
        load=models.supplied if inference.may_load else None,
        tensor_types=inference.tensor_types,
    )


def _invoke(frames: FrameSocket, counter: StartCounter, loaded: _Table, message: Invoke) -> bool:
    """
    Run one invocation and answer it; true if this process must end.
    """
    entry = loaded.get(message.index)
    if entry is None:
        raise ProtocolError(f"INVOKE frame: index: {message.index}; expected that of a LOAD frame")
    counter.begin()
    if isinstance(entry, str):
        frames.send(Result(Outcome(reason=Reason.UNAVAILABLE, message=f"it can't be loaded: {entry}")))
        return False
    ending = _run(frames, entry, message)
    frames.send(Result(ending.outcome, ending.is_process_tainted))
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
        # The edge of the loop: a fault of ours ends this invocation and, to be safe, this process.
        outcome = Outcome(reason=Reason.INTERNAL, message=f"internal error: {type(exc).__name__}: {exc}")
    finally:
        if limits.cpu_s is not None:
            signal.setitimer(signal.ITIMER_PROF, 0)
    return Ending(outcome=outcome, is_process_tainted=True)


def _prepare(entry: _Loaded) -> None:
    """
    Make the next instance ahead of its invocation, while nobody waits for it.
    """
    if entry.function.prepared:
        entry.ready = _instance_of(entry)


def _instance_of(entry: _Loaded) -> ReadyGuest:
    return entry.guest.ready(entry.prepared, entry.function.limits)
