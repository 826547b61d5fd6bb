"""The state of wasmedge-bindgen in one invocation: what the guest has handed over."""

from __future__ import annotations

from typing import Final

from wasm_grpc.core.model import KIB
from wasm_grpc.hosts.bindgen.bodies import Answer
from wasm_grpc.hosts.protocol import HostCall

__all__ = ["ERROR_BYTES", "BindgenState"]

ERROR_BYTES: Final = 2 * KIB
"""How much of an error message is kept. It leaves room for the guest's log in what the caller is told."""


class BindgenState:
    """
    What a guest has handed over during one invocation. The last call counts.

    Attributes:
        call: The invocation.
        answer: Its results; ``None`` if it has handed over none, or an error after them.
        error: Its error message; ``None`` if it has handed over none, or results after it.
    """

    __slots__ = ("answer", "call", "error")

    def __init__(self, call: HostCall) -> None:
        self.call = call
        self.forget()

    def forget(self) -> None:
        """
        Forget what the guest has handed over, before its function is called.
        """
        self.answer: Answer | None = None
        self.error: bytes | None = None
