"""A guest's calls to Dapr, which the worker passes to the server."""

from __future__ import annotations

from wasm_grpc.core.model import DAPR_MESSAGE_BYTES, Limits, Reason
from wasm_grpc.core.wire import DaprAnswer, DaprCall, DaprStatus, Input, out_of_place
from wasm_grpc.engines.protocol import GuestStop
from wasm_grpc.hosts.wasi.streams import Stdin
from wasm_grpc.worker.frame_socket import FrameSocket, SocketStdin

__all__ = ["SocketDapr"]


class SocketDapr:
    """
    A `Dapr` behind the socket to the server.
    """

    __slots__ = ("_frames", "_limits", "_stdin")

    def __init__(self, frames: FrameSocket, stdin: Stdin, limits: Limits) -> None:
        self._frames = frames
        self._stdin = stdin
        self._limits = limits

    def call(self, method: str, request: bytes, *, is_json: bool) -> DaprAnswer:
        """
        See `Dapr.call`. Meanwhile the server lends the guest's run slot to another guest.

        Raises:
            ProtocolError: The server broke the protocol.
        """
        size = len(request)
        if size > DAPR_MESSAGE_BYTES:
            problem = f"{method}: request of {size} bytes; expected at most {DAPR_MESSAGE_BYTES}"
            return DaprAnswer(DaprStatus.INVALID, problem)
        self._frames.send(DaprCall(method, is_json, request))
        while not isinstance(message := self._frames.receive(), DaprAnswer):
            if not (isinstance(message, Input) and isinstance(self._stdin, SocketStdin)):
                raise out_of_place(message, "DAPR_ANSWER")
            # The server sends a streaming guest's input ahead.
            self._stdin.take(message)
        if message.status is DaprStatus.LIMIT:
            calls = self._limits.host_calls
            raise GuestStop(
                Reason.HOST_CALL_LIMIT, f"guest made over {calls} calls to Dapr", limit="limits.host_calls"
            )
        return message
