"""The benchmark's end of the load client, and single calls whose replies are looked at."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import grpc
from dapr.proto.common.v1 import common_pb2
from google.protobuf import any_pb2

from benchmarks.load import ON_INVOKE, OPTIONS, Load, Outcome
from benchmarks.processes import ProgramError, program
from benchmarks.stream_load import Transfer, Transferred, Turns, TurnTimes

__all__ = ["LoadClient", "invoke", "invoke_request", "load_client"]

_CALL_S = 20.0


class LoadClient:
    """
    A running load client.

    Attributes:
        pid: Its process.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.pid = process.pid
        self._process = process

    def run(self, load: Load) -> Outcome:
        """
        Put a load on a server and wait for what came of it.

        Raises:
            ProgramError: A call failed; the client has said why on standard error, and ended.
        """
        return Outcome(**self._ask(asdict(load)))

    def transfer(self, load: Transfer) -> Transferred:
        """
        Send a stream and wait until it has come back.

        Raises:
            ProgramError: As `run`.
        """
        return Transferred(**self._ask(asdict(load)))

    def take_turns(self, load: Turns) -> TurnTimes:
        """
        Make short streams, chunk by chunk.

        Raises:
            ProgramError: As `run`.
        """
        return TurnTimes(**self._ask(asdict(load)))

    def _ask(self, load: Mapping[str, Any]) -> dict[str, Any]:
        if self._process.stdin is None or self._process.stdout is None:
            raise ProgramError("load client: has no pipes")
        print(json.dumps(load), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise ProgramError(f"load client: a call to {load['address']} failed; see above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def load_client(module: str = "load") -> Iterator[LoadClient]:
    """
    Run a load client until the end: "load" for `LoadClient.run`, "stream_load" for streams.
    """
    with program([sys.executable, "-m", f"benchmarks.{module}"]) as process:
        yield LoadClient(process)


def invoke_request(method: str, body: bytes) -> common_pb2.InvokeRequest:
    """
    Return the message of an invocation, as daprd sends it.
    """
    return common_pb2.InvokeRequest(
        method=method,
        data=any_pb2.Any(value=body),
        content_type="application/octet-stream",
        http_extension=common_pb2.HTTPExtension(verb=common_pb2.HTTPExtension.POST),
    )


def invoke(address: str, request: common_pb2.InvokeRequest) -> bytes:
    """
    Make one call and give the reply's body.

    Raises:
        ProgramError: It failed.
    """
    with grpc.insecure_channel(address, options=OPTIONS) as channel:
        call: grpc.UnaryUnaryMultiCallable[common_pb2.InvokeRequest, common_pb2.InvokeResponse] = (
            channel.unary_unary(
                ON_INVOKE,
                request_serializer=common_pb2.InvokeRequest.SerializeToString,
                response_deserializer=common_pb2.InvokeResponse.FromString,
            )
        )
        try:
            return bytes(call(request, timeout=_CALL_S, wait_for_ready=True).data.value)
        except grpc.RpcError as exc:
            raise ProgramError(f"{address}: method '{request.method}' failed: {exc}") from exc
