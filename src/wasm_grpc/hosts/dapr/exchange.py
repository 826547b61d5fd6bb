"""Operations of bindings and methods of apps as files: a request is written, and its answer read."""

from __future__ import annotations

from wasm_grpc.hosts.dapr.outbox import Destination, Outbox
from wasm_grpc.hosts.dapr.requests import data_in, invoke_binding, invoke_service
from wasm_grpc.hosts.dapr.target import Kind
from wasm_grpc.hosts.wasi.abi import ENOSPC, ESPIPE, RIGHT_FD_READ
from wasm_grpc.hosts.wasi.nodes import OpenRequest
from wasm_grpc.hosts.wasi.refusal import Refusal
from wasm_grpc.hosts.wasi.regular import Cursor

__all__ = ["Exchange"]


class Exchange(Destination):
    """
    An operation of a binding, or a method of an app; see `OpenExchange`.
    """

    __slots__ = ()

    def open(self, request: OpenRequest) -> OpenExchange:
        """
        See `Node.open`.

        Raises:
            Refusal: EEXIST, ENOTDIR.
        """
        request.check_existing()
        request.check_file()
        return OpenExchange(self, request)


class OpenExchange(Outbox):
    """
    The descriptor of an operation of a binding, or of a method of an app.

    The first read sends what was written as one request, and this and all further reads return the answer up
    to its end. An answer that there is no room for is lost: that read and those after it are ENOSPC. A write
    after a read begins the next request. A read before anything is written sends an empty
    request. What was written and not read is sent by ``fd_sync``, ``fd_datasync`` or ``fd_close``; after the
    first two, a read returns the answer. A request that a read could not send is given up: only another read
    sends it.

    Libraries seek between writing and reading, as C's must. Until the request is sent, a seek succeeds and
    moves nothing, and the position is the length of the request. Then position, size and seek are those in
    the answer. ``fd_pread`` reads the answer at an offset, and sends the request as a read does.
    ``fd_pwrite`` is ESPIPE.
    """

    __slots__ = ("_answer", "_at", "_is_given_up", "_is_lost")

    def __init__(self, node: Destination, request: OpenRequest) -> None:
        super().__init__(node, request)
        self._is_given_up = False
        # There was no room for the answer. Another read must not send another request.
        self._is_lost = False
        self._answer: bytes | None = None
        self._at = 0

    @property
    def size(self) -> int:
        """
        See `OpenRegular.size`: the length of the answer, or of the request so far.
        """
        return len(self._unsent or b"") if self._answer is None else len(self._answer)

    @property
    def position(self) -> int:
        """
        See `OpenRegular`.
        """
        return self.size if self._answer is None else self._at

    @position.setter
    def position(self, position: int) -> None:
        if self._answer is not None:
            self._at = position

    def available(self) -> int:
        """
        See `Descriptor.available`. Without an answer a read would get one, so there is something to wait for.
        """
        return 1 if self._answer is None else max(0, len(self._answer) - self._at)

    def read(self, limit: int) -> memoryview:
        """
        See `Descriptor.read`.

        Raises:
            Refusal: See `DaprFiles.call`; ENOSPC, there is no room for the answer.
        """
        chunk = self.read_at(self._at, limit)
        self._at += len(chunk)
        return chunk

    def read_at(self, at: int, limit: int) -> memoryview:
        """
        Return the answer from an offset. The request is sent if there is no answer yet.

        Raises:
            Refusal: As `read`.
        """
        if self._is_lost:
            raise Refusal(ENOSPC)
        if self._answer is None:
            self._is_given_up = True
            self._exchange()
        return memoryview(self._answer or b"")[at : at + limit]

    def write(self, chunk: memoryview) -> None:
        """
        See `Descriptor.write`.

        Raises:
            Refusal: ENOSPC.
        """
        if self._answer is not None or self._is_given_up or self._is_lost:
            self._discard()
        super().write(chunk)

    def cursor(self, at: int) -> Cursor:
        """
        See `OpenRegular.cursor`.
        """
        return _AnswerCursor(self, at)

    def sync(self) -> None:
        """
        See `OpenNode.sync`.

        Raises:
            Refusal: As `read`.
        """
        if not self.rights & RIGHT_FD_READ:
            self._send_unsent()
        elif self._has_unsent:
            self._exchange()

    @property
    def _has_unsent(self) -> bool:
        return self._unsent is not None and not self._is_given_up

    def _send_unsent(self) -> None:
        if self._has_unsent:
            self._send()
            self._discard()

    def _exchange(self) -> None:
        answer = self._send()
        # Frees the room of the request before the answer takes its own.
        self._discard()
        self._is_lost = True
        self._files.take(len(answer), self._target)
        self._is_lost = False
        self._answer = answer

    def _send(self) -> bytes:
        request_of = invoke_binding if self._target.kind is Kind.BINDINGS else invoke_service
        return data_in(self._files.send(request_of, self._target, self._unsent, "invoked"))

    def _discard(self) -> None:
        super()._discard()
        self._answer = None
        self._at = 0
        self._is_given_up = self._is_lost = False


class _AnswerCursor:
    """
    A `Cursor` in the answer of an exchange.
    """

    __slots__ = ("_at", "_exchange")

    def __init__(self, exchange: OpenExchange, at: int) -> None:
        self._exchange = exchange
        self._at = at

    def read(self, limit: int) -> memoryview:
        """
        See `Cursor.read`.
        """
        return self._exchange.read_at(self._at, limit)

    def write(self, chunk: memoryview) -> None:
        """
        See `Cursor.write`.

        Raises:
            Refusal: ESPIPE.
        """
        raise Refusal(ESPIPE)
