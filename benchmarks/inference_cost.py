"""
What a model costs inside a worker, by each interface: ``python -m benchmarks.inference_cost ENGINE MODEL``.

Runs in this process, under a worker's interpreter, invocations with fresh instances, each of which runs the
model on one tensor; prints a JSON object of their CPU times in microseconds by interface, medians over rounds
in which all interfaces take turns.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import statistics
import sys
import time
from pathlib import Path

from benchmarks.interface_guests import INTERFACES, guest_text, memory_bytes
from wasm_grpc.core.model import EngineName, Grants, GuestKind, Inference, Limits, Model, Reason
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.engines.protocol import Prepared
from wasm_grpc.engines.registry import open_engine
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.hosts.protocol import HostStates
from wasm_grpc.hosts.registry import open_host_modules
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr
from wasm_grpc.inference.registry import open_backend

__all__: list[str] = []

_GUEST = guest_for(GuestKind.WASI_COMMAND)
_WARM_UPS = 5
_ROUNDS = 200


def _main(engine_name: str, model: str) -> None:
    engine = open_engine(EngineName(engine_name))
    content = Path(model).read_bytes()
    session = open_backend().open(content, threads=1)
    limits = Limits(memory_bytes=memory_bytes(content, session))
    size = session.inputs[0].size_bytes
    body = (bytes(range(251)) * (size // 251 + 1))[:size]
    states = _open_hosts(Path(model), content)
    guests = {
        name: engine.load(
            engine.compile(
                write_limits(_assemble(guest_text(name, content, session)), memory_bytes=limits.memory_bytes)
            ),
            _GUEST.hosts,
        )
        for name in INTERFACES
    }
    times: dict[str, list[float]] = {name: [] for name in INTERFACES}
    for _ in range(_WARM_UPS + _ROUNDS):
        for name, prepared in guests.items():
            times[name].append(_invocation_s(prepared, limits, body, states))
    print(json.dumps({name: statistics.median(each[_WARM_UPS:]) * 1e6 for name, each in times.items()}))


def _open_hosts(path: Path, content: bytes) -> HostStates:
    """
    Return the host modules of a function that is granted the model.
    """
    digest = hashlib.sha256(content).hexdigest()
    model = Model(name="model", host=str(path), size=len(content), sha256=digest)
    grants = Grants(inference=Inference(models=(model,)))
    return {host.state: host.open(grants) for host in open_host_modules()}


def _assemble(text: str) -> bytes:
    for package in ("wasmtime", "wasmer"):
        try:
            return bytes(importlib.import_module(package).wat2wasm(text))
        except ImportError:
            continue
    raise SystemExit("no engine's package is here")


def _invocation_s(prepared: Prepared, limits: Limits, body: bytes, states: HostStates) -> float:
    begun_s = time.process_time()
    ready = _GUEST.ready(prepared, limits)
    ending = ready.run(
        GuestCall(
            args=b"",
            env=b"",
            stdin=BytesStdin(body),
            stdout=CollectedStdout(None),
            stderr=Stderr(limits.stderr_bytes),
            limits=limits,
            states=states,
        )
    )
    ready.close()
    taken_s = time.process_time() - begun_s
    if ending.outcome.reason is not Reason.OK:
        raise SystemExit(ending.outcome.message)
    return taken_s


if __name__ == "__main__":
    _main(*sys.argv[1:])
