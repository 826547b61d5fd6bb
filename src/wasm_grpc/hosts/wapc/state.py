"""The state of waPC in one invocation: the request, the guest's answer, and that to its last host call."""

from __future__ import annotations

from wasm_grpc.hosts.protocol import HostCall

__all__ = ["WapcState"]


class WapcState:
    """
    What a guest and its host hand to each other during one invocation.

    Attributes:
        call: The invocation.
        operation: Operation of the request; b"" until the guest is called.
        payload: Payload of the request; b"" until the guest is called.
        response: The response that the guest has handed over; ``None`` if it has not.
        error: The error message that the guest has handed over; ``None`` if it has not.
        host_response: Response to the last host call; b"" if that failed.
        host_error: Error message of the last host call; b"" if that succeeded.
    """

    __slots__ = ("call", "error", "host_error", "host_response", "operation", "payload", "response")

    def __init__(self, call: HostCall) -> None:
        self.call = call
        self.host_response = self.host_error = b""
        self.request(b"", b"")

    def request(self, operation: bytes, payload: bytes) -> None:
        """
        Set the request that the guest gets, and forget what it has handed over before.
        """
        self.operation = operation
        self.payload = payload
        self.response: bytes | None = None
        self.error: bytes | None = None
