"""A `Dapr` in memory: answers as a sidecar would, and keeps what it was asked."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from wasm_grpc.core.wire import DaprAnswer, DaprStatus

__all__ = ["FakeDapr"]

Fields = Mapping[str, Any]


class FakeDapr:
    """
    State, secrets and configuration in dictionaries.

    A binding or an app answers with what it was sent, in capitals, after its verb if it is an app.

    Attributes:
        state: Values by (store, key).
        secrets: Entries by (store, key).
        configuration: Values by (store, key).
        calls: The method and the fields of each request.
        answers: What the next calls are answered with instead.
    """

    def __init__(self) -> None:
        self.state: dict[tuple[str, str], bytes] = {}
        self.secrets: dict[tuple[str, str], dict[str, str]] = {}
        self.configuration: dict[tuple[str, str], str] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[DaprAnswer] = []

    @property
    def methods(self) -> list[str]:
        """The methods that were called."""
        return [method for method, _ in self.calls]

    @property
    def published(self) -> list[bytes]:
        """The data of each message."""
        return [base64.b64decode(fields["data"]) for method, fields in self.calls if method == "PublishEvent"]

    def call(self, method: str, request: bytes, *, is_json: bool) -> DaprAnswer:
        """See `Dapr.call`."""
        assert is_json
        fields = json.loads(request)
        self.calls.append((method, fields))
        if self.answers:
            return self.answers.pop(0)
        response = getattr(self, f"_{method}")(fields)
        return DaprAnswer(DaprStatus.OK, response=json.dumps(response).encode())

    def _GetState(self, fields: Fields) -> Fields:
        value = self.state.get((fields["storeName"], fields["key"]))
        # As protobuf's JSON mapping has it: what is empty is left out.
        if value is None:
            return {}
        return {"data": _base64(value), "etag": "1"} if value else {"etag": "1"}

    def _SaveState(self, fields: Fields) -> Fields:
        for item in fields["states"]:
            self.state[fields["storeName"], item["key"]] = base64.b64decode(item["value"], validate=True)
        return {}

    def _DeleteState(self, fields: Fields) -> Fields:
        self.state.pop((fields["storeName"], fields["key"]), None)
        return {}

    def _GetSecret(self, fields: Fields) -> Fields:
        return {"data": self.secrets.get((fields["storeName"], fields["key"]), {})}

    def _GetConfiguration(self, fields: Fields) -> Fields:
        values = {key: self.configuration.get((fields["storeName"], key)) for key in fields["keys"]}
        return {"items": {key: {"value": value} for key, value in values.items() if value is not None}}

    def _PublishEvent(self, fields: Fields) -> Fields:
        return {}

    def _InvokeBinding(self, fields: Fields) -> Fields:
        return {"data": _base64(base64.b64decode(fields["data"]).upper())}

    def _InvokeService(self, fields: Fields) -> Fields:
        message = fields["message"]
        verb = message["httpExtension"]["verb"]
        data = base64.b64decode(message.get("data", "")).upper()
        return {"data": _base64(verb.encode() + b" " + data), "contentType": "text/plain"}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
