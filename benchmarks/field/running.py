"""A peer that runs: its server, its daprd, and how a call through daprd reaches it."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import binding_pb2, invoke_pb2

from benchmarks.client import LoadClient, invoke_request
from benchmarks.field.peers import Peer
from benchmarks.load import OPTIONS
from benchmarks.machine import CpuTime, cpu_time
from benchmarks.processes import ProgramError, serving
from benchmarks.sidecar import open_sidecar

__all__ = ["Rig", "RunningPeer", "open_peer"]

_SERVICE = "/dapr.proto.runtime.v1.Dapr"
_BODY_LIMIT = "64Mi"
_CALL_S = 60.0
_START_S = 600.0
"""The longest wait for a server: the first start with 1,000 functions compiles them all."""
_STOP_S = 1.0
"""What a server gets to stop in: one whose threads are in endless calls never does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """
    What it takes to measure.

    Attributes:
        daprd: Path of daprd.
        client: Makes the calls.
        folder: For messages; ours keeps its compiled modules there from one start to the next.
        tell: Told of each step as it begins.
    """

    daprd: str
    client: LoadClient
    folder: Path
    tell: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningPeer:
    """
    A peer behind its own daprd.

    Attributes:
        peer: Which.
        address: ``host:port`` of daprd's gRPC API.
        daprd_pid: Daprd's process.
        app_pid: The server's; None where daprd itself runs the modules.
    """

    peer: Peer
    address: str
    daprd_pid: int
    app_pid: int | None

    @property
    def path(self) -> str:
        """
        The RPC of daprd that calls it.
        """
        return f"{_SERVICE}/{'InvokeBinding' if self.app_pid is None else 'InvokeService'}"

    def message(self, method: str, body: bytes) -> bytes:
        """
        Return a call's serialised message.
        """
        if self.app_pid is None:
            binding = binding_pb2.InvokeBindingRequest(name=method, data=body, operation="execute")
            return binding.SerializeToString()
        request = invoke_pb2.InvokeServiceRequest(id=self.peer.key, message=invoke_request(method, body))
        return request.SerializeToString()

    def call(self, method: str, body: bytes) -> bytes:
        """
        Make one call and return the reply's body.

        Raises:
            ProgramError: It failed.
        """
        with grpc.insecure_channel(self.address, options=OPTIONS) as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(self.path)
            try:
                reply = call(self.message(method, body), timeout=_CALL_S)
            except grpc.RpcError as exc:
                raise ProgramError(f"{self.peer.title}: {method}: {exc}") from exc
        if self.app_pid is None:
            return binding_pb2.InvokeBindingResponse.FromString(reply).data
        return common_pb2.InvokeResponse.FromString(reply).data.value

    def cpu_s(self) -> Mapping[str, float]:
        """
        Return the CPU seconds used so far: of daprd, of the app's own process, of the app's children.
        """
        app = CpuTime(own_s=0.0, children_s=0.0) if self.app_pid is None else cpu_time(self.app_pid)
        return {"daprd": cpu_time(self.daprd_pid).own_s, "app": app.own_s, "workers": app.children_s}


@contextlib.contextmanager
def open_peer(peer: Peer, rig: Rig) -> Iterator[RunningPeer]:
    """
    Run a peer and its daprd until the end.

    Raises:
        ProgramError: One of them did not start.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        resources = folder / "resources"
        resources.mkdir()
        for name, module in peer.modules.items():
            (resources / f"{name}.yaml").write_text(json.dumps(_component(name, module)), "utf-8")
        flags = {"resources-path": resources, "max-body-size": _BODY_LIMIT}
        server, env = None, {"XDG_CACHE_HOME": str(rig.folder), **peer.env}
        if peer.command:
            server = stack.enter_context(serving(peer.command, env=env, start_s=_START_S, stop_s=_STOP_S))
        address = server.address if server else ""
        sidecar = stack.enter_context(
            open_sidecar(
                rig.daprd, peer.key, address, folder=folder, flags=flags, env={} if server else peer.env
            )
        )
        sidecar.wait_ready()
        yield RunningPeer(
            peer=peer,
            address=sidecar.address,
            daprd_pid=sidecar.pid,
            app_pid=server.pid if server else None,
        )


def _component(name: str, module: Path) -> dict[str, object]:
    return {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": name},
        "spec": {
            "type": "bindings.wasm",
            "version": "v1",
            "metadata": [{"name": "url", "value": f"file://{module}"}],
        },
    }
