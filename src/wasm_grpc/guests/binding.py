"""Give a guest the files and streams of its invocation, and send what it left unsent if it succeeds."""

from __future__ import annotations

from collections.abc import Iterator

from wasm_grpc.engines.protocol import GuestExit, GuestStop
from wasm_grpc.guests.endings import GuestEnd, without_frames
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.hosts.dapr.files import DaprFiles
from wasm_grpc.hosts.dapr.folders import open_root
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.descriptors import Descriptor
from wasm_grpc.hosts.wasi.streams import Sink, Stdin

__all__ = ["bind", "finish"]


def bind(
    context: WasiContext, call: GuestCall, *, stdin: Stdin | None = None, stdout: Sink | None = None
) -> None:
    """
    Begin an invocation: bind its streams and directories, and ``/dapr`` if it was granted calls to Dapr.

    Args:
        context: The instance's context.
        call: The invocation.
        stdin: The guest's standard input, if it is not the invocation's.
        stdout: The guest's standard output, if it is not the invocation's.
    """
    context.begin(call)
    context.bind(
        args=call.args,
        env=call.env,
        stdin=stdin or call.stdin,
        stdout=stdout or call.stdout,
        stderr=call.stderr,
        preopens=call.preopens if call.dapr is None else _preopens(context, call),
    )


def finish(end: GuestEnd | None, context: WasiContext, call: GuestCall) -> GuestEnd | None:
    """
    Send to Dapr what a guest that has succeeded left unsent, also in files that it never closed.

    Args:
        end: The exception that ended the guest; ``None`` if it returned.
        context: Its context.
        call: Its invocation.

    Returns:
        How the guest ended after all. If it failed, nothing is sent.
    """
    if call.dapr is None or not (end is None or (isinstance(end, GuestExit) and end.code == 0)):
        return end
    try:
        context.finish()
    except GuestStop as stop:
        return without_frames(stop)
    return end


def _preopens(context: WasiContext, call: GuestCall) -> Iterator[Descriptor]:
    yield from call.preopens
    yield open_root(context.state_of(DaprFiles))
