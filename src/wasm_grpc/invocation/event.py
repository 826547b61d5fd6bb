"""A topic's message as a function receives it: a CloudEvent, or the data of a raw message."""

from __future__ import annotations

from dataclasses import dataclass

from wasm_grpc.core.model import Trace
from wasm_grpc.invocation.cloud_event import CLOUD_EVENT_TYPE, is_text, media_type

__all__ = ["OCTET_STREAM", "Event"]

OCTET_STREAM = "application/octet-stream"
_DELIVERED = frozenset({"application/json", CLOUD_EVENT_TYPE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    One message from a topic.

    Attributes:
        pubsub: The pub/sub component.
        topic: The topic.
        path: Path of the route that daprd chose; "" if none matched.
        id: ``id`` of the CloudEvent; "" for a raw payload in a batch.
        source: ``source`` of the CloudEvent.
        type: ``type`` of the CloudEvent.
        spec_version: ``specversion`` of the CloudEvent.
        content_type: Media type of the data.
        data: The data.
        extensions: Extension attributes, in daprd's order.
        metadata: The broker's metadata of this message; keys in lower case.
        is_bulk: It was delivered in a batch.
        is_raw: It is a raw payload, not a CloudEvent.
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
        Whether daprd dropped the data.

        daprd forwards JSON, text and, in single delivery, ``data_base64``. It drops data of any other type
        (``GRPCEnvelopeFromSubscriptionMessage`` and ``extractCloudEvent`` of its
        ``pkg/runtime/pubsub``). An event without a type has no data.
        """
        if self.data or self.is_raw or not self.content_type or is_text(self.content_type):
            return False
        kind = media_type(self.content_type)
        return kind not in _DELIVERED and (self.is_bulk or kind != OCTET_STREAM)

    @property
    def missing_attributes(self) -> tuple[str, ...]:
        """
        The attributes that CloudEvents requires (1.0.2, 3.1.1) and that this event lacks.

        daprd treats any JSON object as a CloudEvent. A plain object that was published raw arrives without
        these attributes, and without its data.
        """
        if self.is_raw:
            return ()
        required = {"id": self.id, "source": self.source, "type": self.type, "specversion": self.spec_version}
        return tuple(name for name, value in required.items() if not value)

    @property
    def subject(self) -> str:
        """
        The event's ``subject``, or "".
        """
        return dict(self.extensions).get("subject", "")

    @property
    def trace(self) -> Trace:
        """
        The event's trace.
        """
        found = dict(self.extensions)
        return Trace(
            parent=found.get("traceparent") or found.get("traceid", ""), state=found.get("tracestate", "")
        )
