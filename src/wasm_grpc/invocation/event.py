"""An event as a function gets it: a CloudEvent, or the bare data of a raw message."""

from __future__ import annotations

from dataclasses import dataclass

from wasm_grpc.invocation.cloud_event import CLOUD_EVENT_TYPE, Trace, is_text, media_type

__all__ = ["OCTET_STREAM", "Event"]

OCTET_STREAM = "application/octet-stream"
_DELIVERED = frozenset({"application/json", CLOUD_EVENT_TYPE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    One message of a topic.

    Attributes:
        pubsub: The pub/sub component.
        topic: The topic.
        path: Of the route by which it was delivered; "" for none.
        id: Of the CloudEvent; "" for a raw payload of a batch.
        source: Of the CloudEvent.
        type: Of the CloudEvent.
        spec_version: Of the CloudEvent.
        content_type: Of the data.
        data: The data, in its own bytes.
        extensions: Further attributes, in daprd's order.
        metadata: Of the broker, for this message alone; keys in lower case.
        is_bulk: It was delivered in a batch.
        is_raw: It is no CloudEvent, but its bare data.
    """

    pubsub: str
    topic: str
    path: str
    id: str = ""
    source: str = ""
    type: str = ""
    spec_version: str = ""
    content_type: str = ""
    data: bytes = b""
    extensions: tuple[tuple[str, str], ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    is_bulk: bool = False
    is_raw: bool = False

    @property
    def is_emptied(self) -> bool:
        """
        Whether daprd has left the data out.

        It hands on JSON, text and, in single delivery, what stands in ``data_base64``; of any other type
        it leaves nothing (``GRPCEnvelopeFromSubscriptionMessage`` and ``extractCloudEvent`` of its
        ``pkg/runtime/pubsub``). An event that names no type has no data.
        """
        if self.data or self.is_raw or not self.content_type or is_text(self.content_type):
            return False
        kind = media_type(self.content_type)
        return kind not in _DELIVERED and (self.is_bulk or kind != OCTET_STREAM)

    @property
    def missing_attributes(self) -> tuple[str, ...]:
        """
        Those of the attributes that CloudEvents requires (1.0.2, 3.1.1) which it does not have.

        daprd takes any JSON object for an event, so that one which was published bare comes without them,
        and without data.
        """
        if self.is_raw:
            return ()
        required = {"id": self.id, "source": self.source, "type": self.type, "specversion": self.spec_version}
        return tuple(name for name, value in required.items() if not value)

    @property
    def subject(self) -> str:
        """
        The attribute ``subject``, or "".
        """
        return dict(self.extensions).get("subject", "")

    @property
    def trace(self) -> Trace:
        """
        The trace that it belongs to.
        """
        found = dict(self.extensions)
        return Trace(
            parent=found.get("traceparent") or found.get("traceid", ""), state=found.get("tracestate", "")
        )
