"""Load wasmedge-bindgen guests, and call their functions as a worker does."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.wapc import calls
from conformance.wapc.calls import LIMITS, FakeDapr
from wasm_grpc.cli.typed_arguments import read_argument
from wasm_grpc.core.arguments import encode_arguments
from wasm_grpc.core.model import GuestKind, Limits, Outcome, Reason, ResultKind
from wasm_grpc.engines.protocol import Engine, Prepared
from wasm_grpc.guests.protocol import ReadyGuest
from wasm_grpc.guests.registry import guest_for

__all__ = ["GUEST", "LIMITS", "load", "run", "seen"]

GUEST = guest_for(GuestKind.WASMEDGE_BINDGEN)


def load(engine: Engine, wasm: bytes, limits: Limits = LIMITS) -> Prepared:
    """Check, compile and load a guest under limits."""
    return calls.load(engine, wasm, limits, guest=GUEST)


def run(
    ready: ReadyGuest,
    function: str,
    argument: bytes | Sequence[str] = b"",
    *,
    env: str = "",
    dapr: FakeDapr | None = None,
    limits: Limits = LIMITS,
) -> Outcome:
    """Call a function with a body, or with typed arguments as `wasm-grpc run` takes them."""
    body = argument if isinstance(argument, bytes) else encode_arguments(map(read_argument, argument))
    return ready.run(
        calls.call(
            function,
            body,
            env=env,
            dapr=dapr,
            limits=limits,
            has_arguments=not isinstance(argument, bytes),
        )
    ).outcome


def seen(outcome: Outcome) -> tuple[Reason, bytes | str, ResultKind]:
    """Return what a caller sees of an outcome: its reason, the body or the message, and what the body is."""
    return outcome.reason, outcome.message or outcome.body, outcome.result_kind
