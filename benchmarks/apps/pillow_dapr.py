"""App: grayscale with Pillow in the Dapr SDK's gRPC `App`, as its documentation shows it."""

from __future__ import annotations

import socket

from dapr.ext.grpc import App, InvokeMethodRequest, InvokeMethodResponse

from benchmarks.apps.grey import grey_png

__all__: list[str] = []


def _grayscale(request: InvokeMethodRequest) -> InvokeMethodResponse:
    return InvokeMethodResponse(grey_png(request.data), "image/png")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _main() -> None:
    app = App()
    app.method("grayscale")(_grayscale)
    # The app can take no port 0 nor say that it listens; its callers wait for the connection.
    port = _free_port()
    print(f"serving 127.0.0.1:{port}", flush=True)
    app.run(port, "127.0.0.1")


if __name__ == "__main__":
    _main()
