"""Where results go: in which order, and what a failure leaves behind."""

from __future__ import annotations

import pytest

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Reason, Trace
from wasm_grpc.invocation.output_requests import Cause, Output, OutputRequest
from wasm_grpc.invocation.outputs import Outputs
from wasm_grpc.invocation.response import Response
from wasm_grpc.manifest.outputs import BindingOutput, PublishOutput, StateOutput, Then

pytestmark = pytest.mark.asyncio

TRACE = Trace(parent="00-1-2-01")
CAUSE = Cause(id="7", function="f", trace=TRACE)
RESPONSE = Response(body=b"", content_type="text/plain")
PUBLISH = Then(publish=PublishOutput(pubsub="p", topic="t"))
STATE = Then(state=StateOutput(store="s", key="{id}"))
BINDING = Then(binding=BindingOutput(name="b", operation="create"))


class Dapr:
    """A sender that keeps what it was asked for, and fails what it was told to."""

    def __init__(self, **errors: InvocationError) -> None:
        self.asked: list[str] = []
        self.traces: set[Trace] = set()
        self._errors = errors

    async def send(self, request: OutputRequest, trace: Trace) -> None:
        """See `Sender.send`."""
        self.asked.append(str(request))
        self.traces.add(trace)
        if error := self._errors.get(str(request).partition(" ")[0]):
            raise error


async def failure(dapr: Dapr | None, *destinations: Then) -> tuple[Reason, str, str]:
    """Return what a result that can't be sent on is failed with: reason, message, function."""
    with pytest.raises(InvocationError) as caught:
        await Outputs(dapr, app_id="app").send(Output(destinations, CAUSE), RESPONSE)
    return caught.value.reason, str(caught.value), caught.value.function


async def test_each_destination_in_order() -> None:
    """A result goes to every destination in the manifest's order, on the trace of its cause."""
    dapr = Dapr()

    await Outputs(dapr, app_id="app").send(Output((STATE, BINDING, PUBLISH), CAUSE), RESPONSE)

    assert dapr.asked == ["saved as s/7", "sent to binding b/create", "published to p/t"]
    assert dapr.traces == {TRACE}


async def test_no_sidecar() -> None:
    """Without a sidecar a result is unavailable, and the line says what sets one."""
    assert await failure(None, PUBLISH) == (
        Reason.THEN_UNAVAILABLE,
        "function 'f': its result could not be sent on: no sidecar is configured; expected DAPR_GRPC_PORT",
        "f",
    )


async def test_a_template_without_a_value() -> None:
    """A placeholder without a value fails the call before anything is sent, also to other destinations."""
    dapr = Dapr()

    found = await failure(dapr, PUBLISH, Then(publish=PublishOutput(pubsub="p", topic="{subject}")))

    assert found == (
        Reason.THEN_FAILED,
        "function 'f': its result could not be sent on: {subject}: has no value here",
        "f",
    )
    assert dapr.asked == []


async def test_what_the_first_destination_refuses() -> None:
    """A failure keeps its reason and gets the function's name; no later destination gets the result."""
    dapr = Dapr(published=InvocationError(Reason.THEN_UNAVAILABLE, "gone"))

    assert await failure(dapr, PUBLISH, STATE) == (Reason.THEN_UNAVAILABLE, "function 'f': gone", "f")
    assert dapr.asked == ["published to p/t"]


async def test_what_the_second_destination_refuses() -> None:
    """The first keeps the result, which the message says; the third doesn't get it."""
    dapr = Dapr(saved=InvocationError(Reason.THEN_FAILED, "not saved"))

    assert await failure(dapr, PUBLISH, STATE, BINDING) == (
        Reason.THEN_FAILED,
        "function 'f': not saved; it was published to p/t before",
        "f",
    )
    assert dapr.asked == ["published to p/t", "saved as s/7"]
