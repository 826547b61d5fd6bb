"""App: takes a topic's messages in the Dapr SDK's gRPC `App`, and does nothing with them."""

from __future__ import annotations

import sys

from cloudevents.sdk.event import v1
from dapr.clients.grpc._response import TopicEventResponse
from dapr.ext.grpc import App

from wasm_grpc.demo.children import free_ports

__all__: list[str] = []


def _take(event: v1.Event) -> TopicEventResponse:  # noqa: ARG001
    return TopicEventResponse("success")


def _main(pubsub: str, topic: str) -> None:
    app = App()
    app.subscribe(pubsub, topic)(_take)
    # The app can take no port 0 nor say that it listens; daprd waits for the connection.
    (port,) = free_ports(1)
    print(f"serving 127.0.0.1:{port}", flush=True)
    app.run(port, "127.0.0.1")


if __name__ == "__main__":
    _main(*sys.argv[1:])
