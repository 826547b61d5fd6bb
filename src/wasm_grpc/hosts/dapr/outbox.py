"""What takes messages, and the descriptor that collects and sends them."""

from __future__ import annotations

from wasm_grpc.hosts.dapr.entry import Entry
from wasm_grpc.hosts.dapr.files import DaprFiles, finish
from wasm_grpc.hosts.dapr.target import Target
from wasm_grpc.hosts.wasi.abi import EINVAL, EPERM
from wasm_grpc.hosts.wasi.nodes import Directory, OpenRequest
from wasm_grpc.hosts.wasi.refusal import Refusal
from wasm_grpc.hosts.wasi.regular import OpenRegular
from wasm_grpc.hosts.wasi.volume import Volume

__all__ = ["Destination", "Outbox"]


class Destination(Entry):
    """
    Where messages go. It always exists, has the size 0, and can't be removed.
    """

    __slots__ = ()

    def unlink(self, volume: Volume, folder: Directory, name: bytes) -> None:
        """
        See `Node.unlink`.

        Raises:
            Refusal: EPERM.
        """
        raise Refusal(EPERM)


class Outbox(OpenRegular):
    """
    A descriptor that collects what is written, and sends it as one message.

    It is a pipe that pretends to be a file, for libraries that seek. What is written goes to the end of the
    message; ``append`` and ``trunc`` change nothing. A size of 0 (``fd_filestat_set_size``) discards the
    message, and other sizes are EINVAL. What could not be sent stays unsent, and the next attempt sends it.
    """

    __slots__ = ("_files", "_target", "_unsent")

    def __init__(self, node: Destination, request: OpenRequest) -> None:
        self._files: DaprFiles = node.files
        self._target: Target = node.target
        self.volume = node.files.volume
        self.node = node
        self.rights = request.file_rights
        self.inheriting = 0
        self.flags = request.fdflags
        # What was written since the last message; `None` if nothing was.
        self._unsent: bytearray | None = None

    def write(self, chunk: memoryview) -> None:
        """
        See `Descriptor.write`.

        Raises:
            Refusal: ENOSPC.
        """
        self.volume.take(len(chunk))
        if self._unsent is None:
            self._unsent = bytearray()
        self._unsent += chunk

    def resize(self, size: int) -> None:
        """
        See `OpenRegular.resize`.

        Raises:
            Refusal: EINVAL.
        """
        if size:
            raise Refusal(EINVAL)
        self._discard()

    def close(self) -> None:
        """
        See `Descriptor.close`.

        Raises:
            Failure: See `DaprFiles.call`.
        """
        try:
            self._send_unsent()
        finally:
            self._discard()

    def finish(self) -> None:
        """
        See `Descriptor.finish`.
        """
        finish(self._send_unsent)

    def _send_unsent(self) -> None:
        raise NotImplementedError  # abstract; see `Node`

    def _discard(self) -> None:
        # What is held: the message, or the answer that has taken its place.
        self.volume.take(-self.size)
        self._unsent = None
