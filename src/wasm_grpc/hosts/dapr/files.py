"""The calls to Dapr that one invocation makes through its files."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

from wasm_grpc.core.dapr_grants import is_component_granted, is_granted
from wasm_grpc.core.model import DAPR_MESSAGE_BYTES, DaprGrants, Reason
from wasm_grpc.core.wire import DaprAnswer, DaprStatus
from wasm_grpc.engines.protocol import GuestStop
from wasm_grpc.hosts.dapr.requests import Buffer, Request
from wasm_grpc.hosts.dapr.target import Kind, Target
from wasm_grpc.hosts.protocol import HostCall
from wasm_grpc.hosts.wasi.abi import EACCES, EFBIG, EINVAL, EIO
from wasm_grpc.hosts.wasi.refusal import Refusal
from wasm_grpc.hosts.wasi.volume import Volume

__all__ = ["DaprFiles", "Failure", "finish"]

_Data = TypeVar("_Data", Buffer, Buffer | None)

_DEVICE: Final = 0xDA
"""The device number of ``/dapr`` in ``filestat``. Mounts are numbered from 1 up, and are fewer."""

_DATA_BYTES: Final = DAPR_MESSAGE_BYTES // 4 * 3
"""As much as fits into a request in base64."""

_CARRY_DATA: Final = frozenset({"SaveState", "PublishEvent", "InvokeBinding", "InvokeService"})


class Failure(Refusal):
    """
    A call to Dapr has failed. The guest gets an errno, and its log has the reason.

    Attributes:
        line: The reason, in one line.
        is_denied: Whether the call was not granted.
    """

    def __init__(self, errno: int, line: str, *, is_denied: bool = False) -> None:
        super().__init__(errno)
        self.line = line
        self.is_denied = is_denied


class DaprFiles:
    """
    ``/dapr`` of one invocation: what it may do, and how it does it.

    Attributes:
        grants: The calls that the function was granted.
        volume: Has room for what the open files hold together: what was read, and what is not sent yet.
    """

    __slots__ = ("_call", "grants", "volume")

    def __init__(self, grants: DaprGrants, call: HostCall) -> None:
        self.grants = grants
        self.volume = Volume(_DEVICE, is_writable=False, room_bytes=call.limits.result_bytes)
        self._call = call

    def check(self, target: Target) -> None:
        """
        Check that a target is granted. The server checks each call again: this only answers sooner.

        Raises:
            Refusal: EACCES.
        """
        if not is_granted(target.kind.grants_of(self.grants), target.component, target.name):
            self._call.deny(_not_granted(str(target), target.kind))
            raise Refusal(EACCES)

    def check_component(self, kind: Kind, component: str) -> None:
        """
        Check that something in a component is granted.

        Raises:
            Refusal: EACCES.
        """
        if not is_component_granted(kind.grants_of(self.grants), component):
            self._call.deny(_not_granted(f"{kind.noun} {component!r}", kind))
            raise Refusal(EACCES)

    def check_kind(self, kind: Kind) -> None:
        """
        Check that anything of a kind is granted.

        Raises:
            Refusal: EACCES.
        """
        if not kind.grants_of(self.grants):
            self._call.deny(f"no {kind.noun} is granted; expected one in capabilities.dapr.{kind.value}")
            raise Refusal(EACCES)

    def take(self, size: int, target: Target) -> None:
        """
        Take room for what was read of a target.

        Raises:
            Refusal: ENOSPC.
        """
        room = self.volume.room_bytes
        if size > room:
            self._call.log(f"dapr: {target} has {size} bytes; expected at most {room} more (limits.output)")
        self.volume.take(size)

    def send(
        self, request_of: Callable[[Target, _Data], Request], target: Target, data: _Data, action: str
    ) -> dict[str, Any]:
        """
        Call Dapr with what the guest wrote, and return its response.

        Args:
            request_of: Makes the request of the target and the data.
            target: What it is about.
            data: What the guest wrote.
            action: See `call`.

        Raises:
            Failure, GuestStop: See `call`.
        """
        size = len(data or b"")
        if size > _DATA_BYTES:
            # The request would take several times the room that the guest has.
            line = f"{target} could not be {action}: {size} bytes; expected at most {_DATA_BYTES}"
            self._call.log(f"dapr: {line}")
            raise Failure(EFBIG, line)
        return self.call(request_of(target, data), target, action)

    def call(self, request: Request, target: Target, action: str) -> dict[str, Any]:
        """
        Call Dapr and return its response.

        Args:
            request: The call.
            target: What it is about, for messages.
            action: What could not be done if it fails, such as "read".

        Raises:
            Failure: EACCES, it was denied; EFBIG or EINVAL, Dapr was not asked; EIO, Dapr failed.
            GuestStop: The guest has reached ``limits.host_calls``.
        """
        dapr = self._call.dapr
        if dapr is None:
            # Nothing was granted, which `check` has found.
            raise Refusal(EACCES)
        answer = dapr.call(request.method, request.encoded(), is_json=True)
        if answer.status is DaprStatus.OK:
            response: dict[str, Any] = json.loads(answer.response) if answer.response else {}
            return response
        if answer.status is DaprStatus.DENIED:
            line = answer.message or _not_granted(str(target), target.kind)
            self._call.deny(line)
            raise Failure(EACCES, line, is_denied=True)
        line = f"{target} could not be {action}: {_cause(answer)}"
        self._call.log(f"dapr: {line}")
        errno = EIO
        if answer.status is DaprStatus.INVALID:
            errno = EFBIG if request.method in _CARRY_DATA else EINVAL
        raise Failure(errno, line)


def finish(sync: Callable[[], None]) -> None:
    """
    Send what a guest left unsent when it ended successfully.

    Args:
        sync: Sends it.

    Raises:
        GuestStop: It could not be sent, so the guest has not succeeded.
    """
    stop: GuestStop | None = None
    try:
        sync()
    except Failure as failure:
        stop = GuestStop(Reason.DENIED if failure.is_denied else Reason.UNSENT, failure.line)
    # Not inside `except`: the frames of the failure, as its context, would make a cycle with their callers'.
    if stop is not None:
        raise stop


def _cause(answer: DaprAnswer) -> str:
    # With FAILED, the message begins with the name of a status code.
    name = answer.status.name
    if answer.status is DaprStatus.FAILED or answer.message.startswith(f"{name}:"):
        return answer.message
    return f"{name}: {answer.message}" if answer.message else name


def _not_granted(what: str, kind: Kind) -> str:
    return f"{what} is not granted; expected it in capabilities.dapr.{kind.value}"
