"""App: native functions in the Dapr SDK's gRPC `App`, a thread a call: ``MODEL LABELS THREADS``."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dapr.ext.grpc import App, InvokeMethodRequest, InvokeMethodResponse

from benchmarks.apps.litert import open_model
from benchmarks.apps.native import METHODS
from wasm_grpc.demo.children import free_ports

__all__: list[str] = []

_ANY_SIZE = (("grpc.max_receive_message_length", -1),)

_model = threading.Lock()
"""An interpreter of a model takes one call at a time."""


def _method(answer: Callable[[bytes], bytes]) -> Callable[[InvokeMethodRequest], InvokeMethodResponse]:
    def run(request: InvokeMethodRequest) -> InvokeMethodResponse:
        return InvokeMethodResponse(answer(request.data), "application/octet-stream")

    return run


def _classify(body: bytes) -> bytes:
    with _model:
        return METHODS["classify"](body)


def _main(model: str, labels: str, threads: str) -> None:
    open_model(model, labels)
    app = App(thread_pool=ThreadPoolExecutor(int(threads)), options=_ANY_SIZE)
    for name, answer in METHODS.items():
        app.method(name)(_method(_classify if name == "classify" else answer))
    # The app can take no port 0 nor say that it listens; daprd waits for the connection.
    (port,) = free_ports(1)
    print(f"serving 127.0.0.1:{port}", flush=True)
    app.run(port, "127.0.0.1")


if __name__ == "__main__":
    _main(*sys.argv[1:])
