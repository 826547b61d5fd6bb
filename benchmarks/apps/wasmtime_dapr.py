"""
App: each ``.wasm`` file of a folder is a method of the Dapr SDK's gRPC `App`: ``FOLDER THREADS``.

Modules are compiled once; each call has a store and an instance of its own, by wasmtime's public classes.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dapr.ext.grpc import App, InvokeMethodRequest, InvokeMethodResponse
from wasmtime import Engine, ExitTrap, Func, Linker, Module, Store, WasiConfig

from wasm_grpc.demo.children import free_ports

__all__: list[str] = []

_ANY_SIZE = (("grpc.max_receive_message_length", -1),)


def _method(linker: Linker, module: Module) -> Callable[[InvokeMethodRequest], InvokeMethodResponse]:
    def run(request: InvokeMethodRequest) -> InvokeMethodResponse:
        output: list[bytes] = []
        store = Store(linker.engine)
        # wasmtime's WASI reads standard input from a file, or from its own process's.
        with tempfile.NamedTemporaryFile() as stdin:
            stdin.write(request.data)
            stdin.flush()
            wasi = WasiConfig()
            wasi.stdin_file = stdin.name
            wasi.stdout_custom = output.append
            store.set_wasi(wasi)
            start = linker.instantiate(store, module).exports(store)["_start"]
            if not isinstance(start, Func):
                raise TypeError("_start is no function")
            try:
                start(store)
            except ExitTrap as exc:
                if exc.code:
                    raise
        return InvokeMethodResponse(b"".join(output), "application/octet-stream")

    return run


def _main(folder: str, threads: str) -> None:
    engine = Engine()
    linker = Linker(engine)
    linker.define_wasi()
    app = App(thread_pool=ThreadPoolExecutor(int(threads)), options=_ANY_SIZE)
    for path in sorted(Path(folder).glob("*.wasm")):
        app.method(path.stem)(_method(linker, Module.from_file(engine, str(path))))
    # The app can take no port 0 nor say that it listens; its callers wait for the connection.
    (port,) = free_ports(1)
    print(f"serving 127.0.0.1:{port}", flush=True)
    app.run(port, "127.0.0.1")


if __name__ == "__main__":
    _main(*sys.argv[1:])
