"""What `then` asks Dapr for."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from wasm_grpc.core.errors import InvocationError
from wasm_grpc.core.model import Trace
from wasm_grpc.invocation.output_requests import (
    BindingRequest,
    Cause,
    Output,
    OutputRequest,
    PublishRequest,
    StateRequest,
    output_requests,
)
from wasm_grpc.invocation.response import Response
from wasm_grpc.manifest.outputs import BindingOutput, PublishOutput, StateConcurrency, StateOutput, Then

CAUSE = Cause(id="7", subject="a/b", method="m", function="f", trace=Trace())
RESPONSE = Response(body=b'{"kind": "x", "etag": "5"}', content_type="application/json")


def request_of(then: Then, cause: Cause = CAUSE) -> OutputRequest:
    """Return the request for a single destination."""
    (request,) = output_requests(Output((then,), cause), RESPONSE, app_id="app")
    return request


def test_a_result_to_publish() -> None:
    """It goes to the topic that its template names, as an event of the function's."""
    request = request_of(Then(publish=PublishOutput(pubsub="p", topic="{json:/kind}-{id}")))

    assert isinstance(request, PublishRequest)
    assert (request.pubsub, request.topic, request.content_type) == (
        "p",
        "x-7",
        "application/cloudevents+json",
    )
    assert json.loads(request.data)["source"] == "wasm-grpc/app/f"


@pytest.mark.parametrize(("cause", "topic"), [(CAUSE, "f"), (replace(CAUSE, name="nightly"), "nightly")])
def test_the_name_of_what_called(cause: Cause, topic: str) -> None:
    """A template's `name` is the binding's or job's, else the function's; the source is always the function."""
    request = request_of(Then(publish=PublishOutput(pubsub="p", topic="{name}")), cause)

    assert isinstance(request, PublishRequest)
    assert (request.topic, json.loads(request.data)["source"]) == (topic, "wasm-grpc/app/f")


STATES = {
    "last write": (
        StateOutput(store="s", key="{method}"),
        StateRequest(store="s", key="m", value=RESPONSE.body, is_first_write=False, etag=None, ttl_s=None),
    ),
    "etag": (
        StateOutput(store="s", key="k", concurrency=StateConcurrency.FIRST_WRITE, etag="{json:/etag}"),
        StateRequest(store="s", key="k", value=RESPONSE.body, is_first_write=True, etag="5", ttl_s=None),
    ),
    "time to live": (
        TypeAdapter(StateOutput).validate_python({"store": "s", "key": "k", "ttl": "1200ms"}),
        StateRequest(store="s", key="k", value=RESPONSE.body, is_first_write=False, etag=None, ttl_s=2),
    ),
}


@pytest.mark.parametrize(("output", "request_"), STATES.values(), ids=STATES)
def test_a_result_to_save(output: StateOutput, request_: StateRequest) -> None:
    """It is saved byte for byte; a time to live is rounded up to what Dapr can say."""
    assert request_of(Then(state=output)) == request_


def test_a_result_for_a_binding() -> None:
    """It is the data of the operation, whose metadata are templates too."""
    binding = BindingOutput(name="mail", operation="create", metadata={"subject": "{subject}: {json:/kind}"})

    assert request_of(Then(binding=binding)) == BindingRequest(
        name="mail", operation="create", data=RESPONSE.body, metadata=(("subject", "a/b: x"),)
    )


def test_a_statement_with_parameters() -> None:
    """A list is one text, a JSON array of its values; in a statement of SQL nothing is filled in."""
    binding = BindingOutput(
        name="db",
        operation="exec",
        metadata={"sql": "INSERT INTO t VALUES ($1, $2, '{}')", "params": ("{id}", "{json:/kind}")},
    )

    assert request_of(Then(binding=binding)) == BindingRequest(
        name="db",
        operation="exec",
        data=RESPONSE.body,
        metadata=(("sql", "INSERT INTO t VALUES ($1, $2, '{}')"), ("params", '["7", "x"]')),
    )


@pytest.mark.parametrize(
    "then",
    [
        Then(state=StateOutput(store="s", key="{json:/no}")),
        Then(
            state=StateOutput(store="s", key="k", concurrency=StateConcurrency.FIRST_WRITE, etag="{json:/no}")
        ),
        Then(binding=BindingOutput(name="b", operation="o", metadata={"a": "{json:/no}"})),
        Then(binding=BindingOutput(name="b", operation="o", metadata={"a": ("{json:/no}",)})),
    ],
    ids=["key", "etag", "metadata", "list"],
)
def test_a_template_without_a_value(then: Then) -> None:
    """Each template's placeholders must have a value."""
    with pytest.raises(InvocationError, match=r"could not be sent on: \{json:/no\}: the result has nothing"):
        request_of(then)
