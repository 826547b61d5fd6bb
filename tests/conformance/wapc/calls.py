"""Load guests that have functions, waPC's by default, and call them as a worker does."""

from __future__ import annotations

from wasm_grpc.core.model import KIB, MIB, DaprGrants, Grants, GuestKind, Limits
from wasm_grpc.core.wire import DaprAnswer, DaprStatus
from wasm_grpc.engines.binary import read_module
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.engines.protocol import Engine, Prepared
from wasm_grpc.guests.protocol import Guest, GuestCall
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.hosts.registry import open_host_modules
from wasm_grpc.hosts.wasi.context import encode_strings
from wasm_grpc.hosts.wasi.mounts import FileSystem
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr

__all__ = ["GUEST", "LIMITS", "FakeDapr", "call", "load"]

GUEST = guest_for(GuestKind.WAPC)
GRANTS = Grants(dapr=DaprGrants(state=("s/*",)))
LIMITS = Limits(memory_bytes=4 * MIB, output_bytes=64 * KIB, body_bytes=64 * KIB)


class FakeDapr:
    """Answers each call with its request, or with a failure if there is none."""

    def call(self, method: str, request: bytes, *, is_json: bool) -> DaprAnswer:
        """See `Dapr.call`."""
        if request == b"denied":
            return DaprAnswer(DaprStatus.DENIED, "state 's/k' is not granted")
        if not request:
            return DaprAnswer(DaprStatus.FAILED, "NOT_FOUND: no such thing")
        form = b"json" if is_json else b"protobuf"
        return DaprAnswer(DaprStatus.OK, response=method.encode() + b" " + form + b" " + request)


def load(engine: Engine, wasm: bytes, limits: Limits = LIMITS, *, guest: Guest = GUEST) -> Prepared:
    """Check, compile and load a guest under limits."""
    assert guest.check(read_module(wasm)) == []
    return engine.load(engine.compile(write_limits(wasm, memory_bytes=limits.memory_bytes)), guest.hosts)


def call(
    operation: str,
    payload: bytes = b"",
    *,
    env: str = "",
    dapr: FakeDapr | None = None,
    limits: Limits = LIMITS,
    has_arguments: bool = False,
) -> GuestCall:
    """Return the call of an operation."""
    return GuestCall(
        args=encode_strings(["guest"]),
        env=encode_strings([env] if env else []),
        stdin=BytesStdin(payload),
        stdout=CollectedStdout(limits.output_bytes),
        stderr=Stderr(limits.stderr_bytes),
        limits=limits,
        preopens=FileSystem((), scratch_bytes=limits.scratch_bytes).preopens(),
        states={module.state: module.open(GRANTS) for module in open_host_modules()},
        operation=operation.encode(),
        has_arguments=has_arguments,
        dapr=dapr,
    )
