"""What a call to Dapr costs a guest, against Dapr's SDK in a bare app, and how many guests wait at once."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import wasmtime
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import dapr_pb2_grpc, state_pb2

from benchmarks.broker import STATE, Broker, Tools, open_broker
from benchmarks.cases import our_subject
from benchmarks.client import LoadClient, invoke, invoke_request, load_client
from benchmarks.load import ON_INVOKE, OPTIONS, Load
from benchmarks.processes import ROOT, ProgramError, Server, serving

__all__ = ["LATE_S", "WAITING", "DaprCallCost", "measure_dapr_calls"]

WAITING = 200
"""Guests that wait for a late app at once."""
LATE_S = 0.1
"""How late the app is."""

_KEY = "key"
_VALUE = b"x" * 64
_VALUE_TEXT = base64.b64encode(_VALUE)
_GET = state_pb2.GetStateRequest(store_name=STATE, key=_KEY)
_APP = "late-app"
_GUEST = ROOT / "tests" / "end_to_end" / "dapr_calls.wat"
"""A guest that makes the call to Dapr which its body describes."""
_CALL_S = 60.0
_MANIFEST = f"""
name = "caller"
module = "caller.wasm"
[limits]
queue_wait = "60s"
timeout = "60s"
[pool]
queue = {WAITING}
[[trigger.invoke]]
method = "caller"
[capabilities.dapr]
state = ["{STATE}/{_KEY}"]
invoke = ["{_APP}/late"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaprCallCost:
    """
    What was found with one engine.

    Attributes:
        guest_ms: A call of a function whose guest gets a value from a state store; median, one caller.
        sdk_ms: A call of a bare app that gets it by Dapr's SDK.
        added_ms: What the guest's call to Dapr takes beyond the SDK's: an echo of each is taken off first.
        added_json_ms: The same where the guest's request is JSON, as those of files below ``/dapr`` are.
        waiting_s: For `WAITING` guests on two run slots, each of which calls an app that is `LATE_S` late.
    """

    guest_ms: float
    sdk_ms: float
    added_ms: float
    added_json_ms: float
    waiting_s: float


def measure_dapr_calls(
    tools: Tools,
    engines: Sequence[str],
    *,
    seconds: float,
    rounds: int,
    env: Mapping[str, str],
    tell: Callable[[str], None],
) -> dict[str, DaprCallCost]:
    """
    Call each app in turn, one caller at a time, for so many seconds in each round; then let guests wait.

    Args:
        tools: Redis and daprd.
        engines: Ours.
        seconds: How long each load lasts.
        rounds: How often.
        env: Says where the cache is.
        tell: Told of each round as it begins.

    Raises:
        ProgramError: A program failed.
    """
    found = {}
    with open_broker(tools) as broker, _functions() as functions, load_client() as client:
        for engine in engines:
            command = (*our_subject(engine, str(functions)).command, "--workers=2")
            with _running(broker, engine, command, env) as (ours, theirs):
                samples = _samples(client, ours, theirs, seconds=seconds, rounds=rounds, tell=tell)
                waiting_s = asyncio.run(_wait_together(ours.address))
            found[engine] = _cost(samples, waiting_s)
    return found


@contextlib.contextmanager
def _running(
    broker: Broker, engine: str, command: Sequence[str], env: Mapping[str, str]
) -> Iterator[tuple[Server, Server]]:
    """
    Run our server and the bare app, which call the same sidecar; the bare app is also behind one of its own.
    """
    with contextlib.ExitStack() as stack:
        sidecar = stack.enter_context(broker.sidecar(f"{engine}-caller", ""))
        sidecar.wait_ready()
        _save(sidecar.address)
        bare = (sys.executable, "-m", "benchmarks.apps.state_dapr", sidecar.address, STATE, _KEY)
        theirs = stack.enter_context(serving(bare, env={"DAPR_HTTP_PORT": str(sidecar.http_port)}))
        stack.enter_context(broker.sidecar(_APP, theirs.address)).wait_ready()
        port = sidecar.address.rpartition(":")[2]
        yield stack.enter_context(serving(command, env={**env, "DAPR_GRPC_PORT": port})), theirs


def _samples(
    client: LoadClient,
    ours: Server,
    bare: Server,
    *,
    seconds: float,
    rounds: int,
    tell: Callable[[str], None],
) -> dict[str, list[float]]:
    """
    Return the medians of each load in ms, one a round.
    """
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        loads = _loads(ours, bare, Path(folder), seconds)
        for number in range(rounds):
            tell(f"calls to Dapr, round {number + 1} of {rounds}")
            for name, load in loads.items():
                found.setdefault(name, []).append(client.run(load).p50_ms)
    return found


def _cost(samples: Mapping[str, Sequence[float]], waiting_s: float) -> DaprCallCost:
    def added(guest: str) -> float:
        rows = zip(*(samples[name] for name in (guest, "echo", "sdk", "bare")), strict=True)
        differences: list[float] = [(ours - echo) - (sdk - bare) for ours, echo, sdk, bare in rows]
        return statistics.median(differences)

    return DaprCallCost(
        guest_ms=statistics.median(samples["protobuf"]),
        sdk_ms=statistics.median(samples["sdk"]),
        added_ms=added("protobuf"),
        added_json_ms=added("json"),
        waiting_s=waiting_s,
    )


@contextlib.contextmanager
def _functions() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        echo = Path(folder, "echo")
        shutil.copytree(ROOT / "functions" / "echo", echo)
        place = Path(folder, "caller")
        place.mkdir()
        (place / "caller.wasm").write_bytes(wasmtime.wat2wasm(_GUEST.read_text()))
        (place / "function.toml").write_text(_MANIFEST)
        yield Path(folder)


def _loads(ours: Server, bare: Server, folder: Path, seconds: float) -> dict[str, Load]:
    calls = {
        "protobuf": (ours, "caller", b"protobuf GetState\n" + _GET.SerializeToString()),
        "json": (ours, "caller", _request("GetState", {"storeName": STATE, "key": _KEY})),
        "echo": (ours, "echo", _VALUE),
        "sdk": (bare, "get", b""),
        "bare": (bare, "echo", _VALUE),
    }
    loads = {}
    for name, (server, method, body) in calls.items():
        request = invoke_request(method, body)
        answer = invoke(server.address, request)
        if _VALUE not in answer and _VALUE_TEXT not in answer:
            raise ProgramError(f"{server.address}: {method} gave {answer[:100]!r}; expected the value")
        file = folder / name
        file.write_bytes(request.SerializeToString())
        loads[name] = Load(address=server.address, message=str(file), callers=1, seconds=seconds)
    return loads


def _request(method: str, members: Mapping[str, object]) -> bytes:
    return f"json {method}\n".encode() + json.dumps(members).encode()


def _save(sidecar: str) -> None:
    with grpc.insecure_channel(sidecar) as channel:
        states = [common_pb2.StateItem(key=_KEY, value=_VALUE)]
        dapr_pb2_grpc.DaprStub(channel).SaveState(
            state_pb2.SaveStateRequest(store_name=STATE, states=states), timeout=_CALL_S
        )


async def _wait_together(address: str) -> float:
    """
    Let `WAITING` guests call the late app at once, on a server that has had no such load; return the seconds.
    """
    body = _request("InvokeService", {"id": _APP, "message": {"method": "late", "data": ""}})
    message = invoke_request("caller", body).SerializeToString()
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        await channel.channel_ready()
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(ON_INVOKE)
        begin = time.perf_counter()
        try:
            await asyncio.gather(*(call(message, timeout=_CALL_S) for _ in range(WAITING)))
        except grpc.aio.AioRpcError as exc:
            raise ProgramError(f"{address}: a guest that waits failed: {exc.details()}") from exc
        return time.perf_counter() - begin
