"""Where results go."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason, Trace
from wasm_grpc.invocation.outputs import Cause, Output, Outputs
from wasm_grpc.invocation.response import Response
from wasm_grpc.manifest.triggers import PublishOutput, Then

pytestmark = pytest.mark.asyncio

CAUSE = Cause(id="7", function="f", trace=Trace())


class Broker:
    """A publisher that keeps what it was given."""

    def __init__(self, error: InvocationError | None = None) -> None:
        self.published: list[tuple[str, str, bytes, str]] = []
        self._error = error

    async def publish(self, pubsub: str, topic: str, data: bytes, content_type: str) -> None:
        """Keep a message, or fail as it was told to."""
        if self._error is not None:
            raise self._error
        self.published.append((pubsub, topic, data, content_type))


def output(topic: str) -> Output:
    """Return where a result goes: to a topic of the component `p`."""
    return Output(Then(publish=PublishOutput(pubsub="p", topic=topic)), CAUSE)


async def test_a_result_is_published() -> None:
    """A result goes to the topic that its template names, as an event of the function's."""
    broker = Broker()

    await Outputs(broker, app_id="app").send(
        output("{json:/kind}-{id}"), Response(body=b'{"kind": "x"}', content_type="application/json")
    )

    ((pubsub, topic, event, content_type),) = broker.published
    assert (pubsub, topic, content_type) == ("p", "x-7", "application/cloudevents+json")
    assert json.loads(event)["source"] == "wasm-grpc/app/f"


@pytest.mark.parametrize(("cause", "topic"), [(CAUSE, "f"), (replace(CAUSE, name="nightly"), "nightly")])
async def test_the_name_of_what_called(cause: Cause, topic: str) -> None:
    """A template's `name` is the job's, else the function's; the event's source is always the function."""
    broker = Broker()
    then = Then(publish=PublishOutput(pubsub="p", topic="{name}"))

    await Outputs(broker, app_id="app").send(
        Output(then, cause), Response(body=b"", content_type="text/plain")
    )

    ((_, published_to, event, _),) = broker.published
    assert (published_to, json.loads(event)["source"]) == (topic, "wasm-grpc/app/f")


async def test_no_sidecar() -> None:
    """Without a sidecar a result is unavailable, and the line says what sets one."""
    with pytest.raises(InvocationError) as caught:
        await Outputs(None, app_id="").send(output("t"), Response(body=b"", content_type="text/plain"))

    assert (caught.value.reason, str(caught.value)) == (
        Reason.THEN_UNAVAILABLE,
        "function 'f': its result could not be published: no sidecar is configured; expected DAPR_GRPC_PORT",
    )


async def test_a_template_without_a_value() -> None:
    """A placeholder that has no value fails the call before anything is published."""
    broker = Broker()

    with pytest.raises(InvocationError) as caught:
        await Outputs(broker, app_id="app").send(
            output("{subject}"), Response(body=b"", content_type="text/plain")
        )

    assert (caught.value.reason, str(caught.value)) == (
        Reason.THEN_FAILED,
        "function 'f': its result could not be published: {subject}: has no value here",
    )
    assert broker.published == []


async def test_what_the_sidecar_refuses() -> None:
    """A failure of the sidecar keeps its reason, and gets the function's name."""
    broker = Broker(InvocationError(Reason.THEN_FAILED, "refused"))

    with pytest.raises(InvocationError) as caught:
        await Outputs(broker, app_id="app").send(output("t"), Response(body=b"", content_type="text/plain"))

    assert (caught.value.reason, caught.value.function, str(caught.value)) == (
        Reason.THEN_FAILED,
        "f",
        "function 'f': refused",
    )
