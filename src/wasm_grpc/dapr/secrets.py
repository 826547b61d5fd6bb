"""Read secrets through the sidecar."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

import grpc
from dapr.proto.runtime.v1 import secret_pb2 as pb

from wasm_grpc.core.errors import SidecarError
from wasm_grpc.dapr.sidecar import Sidecar, describe
from wasm_grpc.manifest.wording import enumerate_names

__all__ = ["entry_of", "read_secret"]

_log = logging.getLogger("wasm_grpc.dapr")

_CALL_S = 10.0
"""Deadline of one try."""
_PAUSE_S = 0.5
"""Time between two tries: Dapr offers nothing to wait on."""
_LATE = frozenset(
    {
        # The sidecar has no secret store of this name (yet), or none at all.
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)
"""What may pass. A secret that is missing gives INTERNAL (``pkg/messages/predefined.go`` of dapr)."""


async def read_secret(sidecar: Sidecar, store: str, name: str, *, wait_s: float) -> dict[str, str]:
    """
    Return the entries of a secret. A secret store that the sidecar doesn't have yet is waited for.

    Args:
        sidecar: The sidecar.
        store: The secret store component.
        name: The secret's name in it.
        wait_s: Longest wait for the store, in seconds.

    Raises:
        SidecarError: It can't be read. The text has neither the secret's name nor a value.
    """
    end_s = time.monotonic() + wait_s
    is_told = False
    while True:
        request = pb.GetSecretRequest(store_name=store, key=name)
        try:
            response = await sidecar.call("GetSecret", request, metadata=(), timeout_s=_CALL_S)
        except grpc.aio.AioRpcError as exc:
            if exc.code() not in _LATE or time.monotonic() + _PAUSE_S > end_s:
                raise SidecarError(f"can't be read: {describe(exc)}") from exc
        else:
            return dict(response.data)
        if not is_told:
            _log.info("waiting for secret store '%s', %g s at most", store, wait_s)
            is_told = True
        await asyncio.sleep(_PAUSE_S)


def entry_of(entries: Mapping[str, str], key: str | None) -> str:
    """
    Return one entry of a secret.

    Args:
        entries: Its entries.
        key: The entry's key; None for the only one.

    Raises:
        SidecarError: There is no such entry, or more than one to choose from.
    """
    if key is None:
        if len(entries) == 1:
            (value,) = entries.values()
            return value
        raise SidecarError(
            f"has {len(entries)} entries; expected key beside it: {enumerate_names(entries)}"
            if entries
            else "has no entries; expected one"
        )
    if key not in entries:
        raise SidecarError(f"has no entry {key!r}; expected {enumerate_names(entries)}")
    return entries[key]
