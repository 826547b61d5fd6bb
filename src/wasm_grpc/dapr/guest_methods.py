"""
The methods of Dapr's API that a function may call, and the grants that each request needs.

Source: the service ``dapr.proto.runtime.v1.Dapr`` of the ``dapr`` package.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import (
    binding_pb2,
    configuration_pb2,
    invoke_pb2,
    pubsub_pb2,
    secret_pb2,
    state_pb2,
)
from google.protobuf import empty_pb2
from google.protobuf.message import Message

from wasm_grpc.core.dapr_grants import is_component_granted, is_granted
from wasm_grpc.core.model import DaprGrants, Trace

__all__ = ["METHODS", "InvalidRequestError", "Method"]


_PATH_CHARACTERS = 8192
"""Servers of HTTP commonly take no longer line."""
_DECODINGS = 8
_NO_PATH = re.compile(r"[\x00-\x1f\x7f?#\\]")


class InvalidRequestError(ValueError):
    """
    A request that Dapr is not asked, because of its content. The message says what is wrong with it.
    """


class _Need(NamedTuple):
    """
    A grant that a request needs: its kind (an attribute of `DaprGrants`), the component, and a name in it.

    The name is empty where any grant in the component will do, because the response is filtered.
    """

    kind: str
    component: str
    name: str


@dataclass(frozen=True, slots=True)
class Method:
    """
    A method that functions may call.

    Attributes:
        name: Its name in Dapr's API.
        request: Class of its request.
        response: Class of its response.
    """

    name: str
    request: type[Message]
    response: type[Message]
    _needs: Callable[[Any], Iterable[_Need]]
    _filter: Callable[[Any, Any, DaprGrants], None] | None = None
    _continue: Callable[[Any, Trace], None] | None = None

    def denial(self, request: Message, grants: DaprGrants) -> str:
        """
        Return why the grants don't allow a request, in one line; "" if they do.

        Raises:
            InvalidRequestError: It could mean something else to Dapr than to the grants.
        """
        for need in self._needs(request):
            granted = getattr(grants, need.kind)
            if not need.name:
                if not is_component_granted(granted, need.component):
                    return f"{need.kind} {need.component!r} is not granted; {_expected(need.kind)}"
            elif not is_granted(granted, need.component, need.name):
                where = f"{need.component}/{need.name}"
                return f"{need.kind} {where!r} is not granted; {_expected(need.kind)}"
        return ""

    def continue_trace(self, request: Message, trace: Trace) -> None:
        """
        Put a trace into the messages of a request, unless they have their own.

        It is not enough to call Dapr on a trace: unless daprd samples it, the message gets no trace.
        """
        if self._continue is not None and trace.parent:
            self._continue(request, trace)

    def keep_granted(self, request: Message, response: Message, grants: DaprGrants) -> None:
        """
        Remove from a response what the grants don't allow, if a request may ask for more than that.
        """
        if self._filter is not None:
            self._filter(request, response, grants)


def _expected(kind: str) -> str:
    return f"expected a grant in capabilities.dapr.{kind}"


def _state_key(request: Any) -> Iterator[_Need]:
    yield _Need("state", request.store_name, _named(request.key, "key"))


def _state_keys(request: state_pb2.GetBulkStateRequest) -> Iterator[_Need]:
    for key in _some(request.keys, "keys"):
        yield _Need("state", request.store_name, _named(key, "keys"))


def _state_items(request: state_pb2.SaveStateRequest) -> Iterator[_Need]:
    for item in _some(request.states, "states"):
        yield _Need("state", request.store_name, _named(item.key, "states: key"))


def _state_operations(request: state_pb2.ExecuteStateTransactionRequest) -> Iterator[_Need]:
    for operation in _some(request.operations, "operations"):
        yield _Need("state", request.storeName, _named(operation.request.key, "operations: request: key"))


def _topic(request: Any) -> Iterator[_Need]:
    yield _Need("publish", request.pubsub_name, _named(request.topic, "topic"))


def _continue_message(request: Any, trace: Trace) -> None:
    # Metadata of Dapr's that sets the attributes of the event.
    for key, value in (("cloudevent.traceparent", trace.parent), ("cloudevent.tracestate", trace.state)):
        if value and key not in request.metadata:
            request.metadata[key] = value


def _continue_messages(request: pubsub_pb2.BulkPublishRequest, trace: Trace) -> None:
    for entry in request.entries:
        _continue_message(entry, trace)


def _app_method(request: invoke_pb2.InvokeServiceRequest) -> Iterator[_Need]:
    # Dapr ignores slashes at the beginning.
    method = request.message.method.lstrip("/")
    path = _decoded(method, "message: method")
    if _NO_PATH.search(path) or _climbs(path):
        raise InvalidRequestError(
            f"message: method: {method!r} has a '?', '#', '\\', control character or a segment '.' or '..'; "
            "expected a path, and the query in http_extension"
        )
    yield _Need("invoke", request.id, _named(method, "message: method"))
    # What Dapr makes of it (`NormalizeMethod`).
    cleaned = "/".join(filter(None, method.split("/")))
    if cleaned != method:
        yield _Need("invoke", request.id, cleaned)


def _secret(request: secret_pb2.GetSecretRequest) -> Iterator[_Need]:
    _check_place(request)
    # Vault's secret store puts the key into a URL as it is.
    if _climbs(_decoded(request.key, "key")):
        raise InvalidRequestError(f"key: {request.key!r} has a segment '.' or '..'; expected none")
    yield _Need("secrets", request.store_name, _named(request.key, "key"))


def _any_secret(request: secret_pb2.GetBulkSecretRequest) -> Iterator[_Need]:
    _check_place(request)
    yield _Need("secrets", request.store_name, "")


def _check_place(request: Any) -> None:
    # Kubernetes' secret store takes it (`getNamespaceFromMetadata` in Dapr's components).
    if any(name.lower() == "namespace" for name in request.metadata):
        raise InvalidRequestError(
            "metadata: namespace: leads to secrets that no grant names; expected the store's own namespace"
        )


def _granted_secrets(
    request: secret_pb2.GetBulkSecretRequest, response: secret_pb2.GetBulkSecretResponse, grants: DaprGrants
) -> None:
    for key in [key for key in response.data if not is_granted(grants.secrets, request.store_name, key)]:
        del response.data[key]


def _operation(request: binding_pb2.InvokeBindingRequest) -> Iterator[_Need]:
    yield _Need("bindings", request.name, _named(request.operation, "operation"))


def _configuration_keys(request: configuration_pb2.GetConfigurationRequest) -> Iterator[_Need]:
    if not request.keys:
        # All keys of the store.
        yield _Need("configuration", request.store_name, "")
    for key in request.keys:
        yield _Need("configuration", request.store_name, _named(key, "keys"))


def _granted_configuration(
    request: configuration_pb2.GetConfigurationRequest,
    response: configuration_pb2.GetConfigurationResponse,
    grants: DaprGrants,
) -> None:
    granted = grants.configuration
    for key in [key for key in response.items if not is_granted(granted, request.store_name, key)]:
        del response.items[key]


def _named(name: str, field: str) -> str:
    if not name:
        raise InvalidRequestError(f"{field}: is empty; expected a name")
    return name


def _some(items: Any, field: str) -> Any:
    if not items:
        raise InvalidRequestError(f"{field}: is empty; expected at least one")
    return items


def _decoded(path: str, field: str) -> str:
    """
    Return a path without percent-encoding, and without what that encodes: some servers decode it again.

    Raises:
        InvalidRequestError: It is too long, is encoded too often, or encodes what is not UTF-8.
    """
    if len(path) > _PATH_CHARACTERS:
        raise InvalidRequestError(f"{field}: has {len(path)} characters; expected at most {_PATH_CHARACTERS}")
    for _ in range(_DECODINGS):
        try:
            decoded = unquote_to_bytes(path).decode()
        except UnicodeDecodeError:
            # Some servers take overlong forms, such as %C0%AE for a dot.
            raise InvalidRequestError(f"{field}: does not decode to UTF-8; expected UTF-8") from None
        if decoded == path:
            return path
        path = decoded
    raise InvalidRequestError(f"{field}: is percent-encoded again and again; expected it once")


def _climbs(path: str) -> bool:
    """
    Return whether a path leads to another place than its text says, once a server has resolved it.
    """
    # Some servers ignore what follows a ";" in a segment, or spaces around it, or take dots of any width.
    segments = unicodedata.normalize("NFKC", path).split("/")
    return any(segment.partition(";")[0].strip() in {".", ".."} for segment in segments)


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method("GetState", state_pb2.GetStateRequest, state_pb2.GetStateResponse, _state_key),
        Method("GetBulkState", state_pb2.GetBulkStateRequest, state_pb2.GetBulkStateResponse, _state_keys),
        Method("SaveState", state_pb2.SaveStateRequest, empty_pb2.Empty, _state_items),
        Method("DeleteState", state_pb2.DeleteStateRequest, empty_pb2.Empty, _state_key),
        Method(
            "ExecuteStateTransaction",
            state_pb2.ExecuteStateTransactionRequest,
            empty_pb2.Empty,
            _state_operations,
        ),
        Method(
            "PublishEvent",
            pubsub_pb2.PublishEventRequest,
            empty_pb2.Empty,
            _topic,
            _continue=_continue_message,
        ),
        *(
            Method(
                name,
                pubsub_pb2.BulkPublishRequest,
                pubsub_pb2.BulkPublishResponse,
                _topic,
                _continue=_continue_messages,
            )
            for name in ("BulkPublishEvent", "BulkPublishEventAlpha1")
        ),
        Method("InvokeService", invoke_pb2.InvokeServiceRequest, common_pb2.InvokeResponse, _app_method),
        Method("GetSecret", secret_pb2.GetSecretRequest, secret_pb2.GetSecretResponse, _secret),
        Method(
            "GetBulkSecret",
            secret_pb2.GetBulkSecretRequest,
            secret_pb2.GetBulkSecretResponse,
            _any_secret,
            _granted_secrets,
        ),
        Method(
            "InvokeBinding", binding_pb2.InvokeBindingRequest, binding_pb2.InvokeBindingResponse, _operation
        ),
        Method(
            "GetConfiguration",
            configuration_pb2.GetConfigurationRequest,
            configuration_pb2.GetConfigurationResponse,
            _configuration_keys,
            _granted_configuration,
        ),
    )
}
"""All of them, by name."""
