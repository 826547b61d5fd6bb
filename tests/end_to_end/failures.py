"""How a call through a sidecar failed, as its HTTP caller sees it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from rig import Reply

__all__ = ["Failure", "failure_of"]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The HTTP status, and the `google.rpc.Status` and `ErrorInfo` that daprd writes as JSON."""

    status: int
    message: str
    reason: str
    domain: str = "wasm-grpc"
    function: str = ""
    limit: str = ""
    invocation_id: str = field(default="", compare=False)


def failure_of(reply: Reply) -> Failure:
    """Read a reply that is a failure of ours; of daprd's own, and of a success, none can be read."""
    body = json.loads(reply.body)
    (info,) = (each for each in body["details"] if each["@type"].endswith("/google.rpc.ErrorInfo"))
    metadata = info["metadata"]
    return Failure(
        status=reply.status,
        message=body["message"],
        reason=info["reason"],
        domain=info["domain"],
        function=metadata.get("function", ""),
        limit=metadata.get("limit", ""),
        invocation_id=metadata["invocation_id"],
    )
