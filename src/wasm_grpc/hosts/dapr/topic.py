"""Topics as files: what is written is published."""

from __future__ import annotations

from wasm_grpc.hosts.dapr.outbox import Destination, Outbox
from wasm_grpc.hosts.dapr.requests import publish_event
from wasm_grpc.hosts.wasi.abi import EACCES, ESPIPE
from wasm_grpc.hosts.wasi.nodes import OpenRequest
from wasm_grpc.hosts.wasi.refusal import Refusal
from wasm_grpc.hosts.wasi.regular import Cursor

__all__ = ["Topic"]


class Topic(Destination):
    """
    A topic. What is written to it is published as one message; see `OpenTopic`.
    """

    __slots__ = ()

    def open(self, request: OpenRequest) -> OpenTopic:
        """
        See `Node.open`. It may be opened for reading and writing, since that is what some libraries open.

        Raises:
            Refusal: EEXIST, ENOTDIR; EACCES, it is not opened for writing.
        """
        request.check_existing()
        request.check_file()
        if not request.writes:
            raise Refusal(EACCES)
        return OpenTopic(self, request)


class OpenTopic(Outbox):
    """
    The descriptor of a topic.

    ``fd_sync``, ``fd_datasync`` and ``fd_close`` publish what was written since the last message, if anything
    was. A seek succeeds and moves nothing, and the position is the length of the message so far. Reading is
    EACCES; ``fd_pread`` and ``fd_pwrite`` are ESPIPE.
    """

    __slots__ = ()

    @property
    def size(self) -> int:
        """
        See `OpenRegular.size`: the length of the message so far.
        """
        return len(self._unsent or b"")

    @property
    def position(self) -> int:
        """
        See `OpenRegular`: the end of the message so far.
        """
        return self.size

    @position.setter
    def position(self, position: int) -> None:
        pass

    def read(self, limit: int) -> bytes | memoryview:
        """
        See `Descriptor.read`.

        Raises:
            Refusal: EACCES.
        """
        raise Refusal(EACCES)

    def cursor(self, at: int) -> Cursor:
        """
        See `OpenRegular.cursor`.

        Raises:
            Refusal: ESPIPE.
        """
        raise Refusal(ESPIPE)

    def sync(self) -> None:
        """
        See `OpenNode.sync`.

        Raises:
            Failure: See `DaprFiles.call`.
        """
        self._send_unsent()

    def _send_unsent(self) -> None:
        if self._unsent is not None:
            self._files.send(publish_event, self._target, self._unsent, "published")
            self._discard()
