"""
One streaming invocation between its caller and its guest: chunks in, chunks out, each at the other's pace.

Theory of operation. The caller `send`s and `receive`s; the pool tells what the worker says. Nothing goes to
the guest before it has begun, so that an invocation whose worker was dead can go to another. From then on
input goes ahead of what the guest asks for, as far as the socket takes it.

A guest *waits* for its caller in two cases: it asked for input beyond all that was sent (`wanted`), or so
much of its output is kept here that nothing more is read from its worker (*held*), which stops it in its
own ``fd_write``. While it waits it lends its run slot (see `lease`); it gets input, or is read from again,
once it holds the slot again. A guest that polls may stop waiting without input, when its own timeout has
passed (`waits_no_longer`): it goes on once it is told that it has its slot.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from wasm_grpc.core.errors import ProtocolError
from wasm_grpc.core.model import KIB, MIB, Limits, Outcome, Reason
from wasm_grpc.core.wire import Input, Resumed
from wasm_grpc.pool.connection import Connection
from wasm_grpc.pool.lease import Lease

__all__ = ["CHUNK_BYTES", "Stream"]

CHUNK_BYTES = MIB
"""The longest chunk that `Stream.receive` gives; daprd's limit of a message is 4 MiB by default."""

_HELD_ABOVE_BYTES = MIB
_READ_ON_BELOW_BYTES = MIB // 2
_PIECE_COST_BYTES = 64
"""What a piece of output takes besides its bytes: 33 bytes of CPython's object, and a place in the queue."""
_PIECE_BYTES = 256 * KIB
"""How much input is sent at a time: the guest reads it while the rest of a long message is on its way."""


class Stream:
    """
    A streaming invocation. One caller may send while another receives; see `Pool.open_stream`.
    """

    def __init__(
        self,
        outcome: asyncio.Future[Outcome],
        limits: Limits,
        lease: Lease,
        *,
        stop: Callable[[Reason, str], None],
    ) -> None:
        """
        Wait for a worker.

        Args:
            outcome: Set when the invocation has ended.
            limits: Of the function.
            lease: Its run slot.
            stop: Ends the guest.
        """
        self._outcome = outcome
        self._limits = limits
        self._lease = lease
        self._stop = stop
        self._loop = outcome.get_loop()
        self._connection: Connection | None = None
        self._has_started = False
        # The guest has asked for input, or written: no other worker will run this invocation.
        self._has_begun = False
        self._is_waiting_for_input = False
        self._is_waiting_for_slot = False
        self._is_held = False
        # READs that the guest may still send: one, and one more for each INPUT and RESUME.
        self._reads_left = 1
        self._may_resume = False
        self._sent_bytes = 0
        self._has_sent_end = False
        self._output: deque[bytes] = deque()
        self._output_bytes = 0
        self._total_output_bytes = 0
        self._moved_at_s = 0.0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._sender: asyncio.Future[None] | None = None
        self._receiver: asyncio.Future[None] | None = None

    async def started(self) -> bool:
        """
        Wait until the guest runs. Return false if the invocation ended before.
        """
        while not (self._has_started or self._outcome.done()):
            await self._wait_as_receiver()
        return self._has_started

    async def send(self, chunk: bytes) -> bool:
        """
        Hand the guest the next bytes of its input; done when it may have more.

        Returns:
            Whether the guest still runs: the rest of its input is of no use where not.
        """
        for at in range(0, len(chunk), _PIECE_BYTES):
            if not await self._put(chunk[at : at + _PIECE_BYTES]):
                return False
        return True

    async def end_input(self) -> None:
        """
        Tell the guest that its input has ended.
        """
        await self._put(b"")

    async def receive(self) -> bytes:
        """
        Return the next bytes of the guest's output, at most `CHUNK_BYTES`; b"" when there are no more.

        However it ended, the guest's output comes first; `outcome` says whether it is whole.
        """
        while not self._output:
            if self._outcome.done():
                return b""
            await self._wait_as_receiver()
        chunk = self._take_output()
        self._moved_at_s = self._loop.time()
        if self._is_held and self._kept_bytes() < _READ_ON_BELOW_BYTES:
            self._read_on()
        return chunk

    def stop(self, reason: Reason, message: str) -> None:
        """
        End the guest; the outcome follows.
        """
        self._stop(reason, message)

    async def outcome(self) -> Outcome:
        """
        Wait for how it ended; cancelling the wait changes nothing.

        Raises:
            InvocationError: It was not run: QUEUE_WAIT.
        """
        return await asyncio.shield(self._outcome)

    def attach(self, connection: Connection) -> None:
        """
        A worker has been sent the invocation.
        """
        self._connection = connection

    def start(self, idle: Callable[[], None]) -> None:
        """
        The guest runs; call `idle` if no chunk comes or goes for too long.
        """
        self._has_started = True
        self._moved_at_s = self._loop.time()
        if self._idle_timer is None:
            self._idle_timer = self._loop.call_later(self._limits.idle_timeout_s, self._check_idle, idle)
        _wake(self._receiver)

    def wanted(self, taken: int) -> None:
        """
        The guest asks for input, and has read so many bytes so far.

        Raises:
            ProtocolError: It asks again, although it waits.
        """
        if not self._reads_left or self._is_waiting_for_slot:
            raise ProtocolError("READ frame: out of place; expected none while the guest waits")
        self._reads_left -= 1
        self._may_resume = True
        self._has_begun = True
        if taken == self._sent_bytes and not self._has_sent_end:
            self._is_waiting_for_input = True
            if self._sender is None:
                self._lease.lend()
        _wake(self._sender)

    def waits_no_longer(self) -> None:
        """
        The guest that asked for input goes on without it, as soon as it has its run slot.

        Raises:
            ProtocolError: It does not wait.
        """
        if not self._may_resume:
            raise ProtocolError("RESUME frame: out of place; expected it after READ")
        self._may_resume = False
        self._reads_left += 1
        self._is_waiting_for_input = False
        self._is_waiting_for_slot = True
        if self._lease.is_held:
            self._let_go_on()
        else:
            self._lease.reclaim()

    def written(self, chunk: bytes) -> None:
        """
        The guest wrote to standard output.

        Raises:
            ProtocolError: The chunk is empty, or exceeds the function's limit, which the worker keeps.
        """
        if not chunk:
            # The caller would take it for the end, and a worker could send any number of them for nothing.
            raise ProtocolError("OUTPUT frame without output")
        self._has_begun = True
        self._output.append(chunk)
        self._output_bytes += len(chunk)
        self._total_output_bytes += len(chunk)
        if self._limits.output_bytes is not None and self._total_output_bytes > self._limits.output_bytes:
            raise ProtocolError("OUTPUT frame beyond the limit of its function")
        self._moved_at_s = self._loop.time()
        if self._kept_bytes() > _HELD_ABOVE_BYTES and not self._is_held and self._connection is not None:
            self._is_held = True
            self._connection.pause_reading()
            self._lease.lend()
        _wake(self._receiver)
        _wake(self._sender)

    def ended(self) -> None:
        """
        The invocation has ended.
        """
        self._release()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        _wake(self._sender)
        _wake(self._receiver)

    def resumed(self) -> None:
        """
        Go on: the guest has its run slot again.
        """
        self._let_go_on()
        # After a call to Dapr, its caller may still not have taken what the guest wrote before.
        if self._kept_bytes() < _READ_ON_BELOW_BYTES:
            self._release()
        _wake(self._sender)

    def _let_go_on(self) -> None:
        if self._is_waiting_for_slot and self._connection is not None:
            self._is_waiting_for_slot = False
            self._connection.send(Resumed())

    async def _put(self, piece: bytes) -> bool:
        while not self._outcome.done():
            connection = self._connection
            if connection is None or not (self._has_begun and self._lease.is_held):
                await self._wait_for_guest()
            elif connection.is_full:
                await connection.wait_room()
            else:
                connection.send(Input(piece))
                self._sent_bytes += len(piece)
                self._reads_left += 1
                self._has_sent_end = not piece
                self._is_waiting_for_input = False
                self._moved_at_s = self._loop.time()
                return True
        return False

    async def _wait_for_guest(self) -> None:
        if self._is_waiting_for_input and not self._is_held:
            self._lease.reclaim()
        if not (self._has_begun and self._lease.is_held):
            await self._wait_as_sender()

    def _kept_bytes(self) -> int:
        return self._output_bytes + _PIECE_COST_BYTES * len(self._output)

    def _take_output(self) -> bytes:
        pieces = self._output
        chunk = pieces.popleft()
        if len(chunk) > CHUNK_BYTES:
            # None of our workers sends such large frames.
            pieces.appendleft(chunk[CHUNK_BYTES:])
            chunk = chunk[:CHUNK_BYTES]
        elif pieces:
            joined, size = [chunk], len(chunk)
            while pieces and (size := size + len(pieces[0])) <= CHUNK_BYTES:
                joined.append(pieces.popleft())
            chunk = b"".join(joined)
        self._output_bytes -= len(chunk)
        return chunk

    def _read_on(self) -> None:
        if self._is_waiting_for_input or self._lease.is_held:
            # A guest that waits for input gets its slot back when input arrives.
            self._release()
            _wake(self._sender)
        else:
            self._lease.reclaim()

    def _release(self) -> None:
        if self._is_held and self._connection is not None:
            self._is_held = False
            self._connection.resume_reading()

    def _check_idle(self, idle: Callable[[], None]) -> None:
        left_s = self._moved_at_s + self._limits.idle_timeout_s - self._loop.time()
        if left_s > 0:
            self._idle_timer = self._loop.call_later(left_s, self._check_idle, idle)
        else:
            # It is armed again if another worker takes over the invocation.
            self._idle_timer = None
            idle()

    async def _wait_as_sender(self) -> None:
        self._sender = self._loop.create_future()
        try:
            await self._sender
        finally:
            self._sender = None

    async def _wait_as_receiver(self) -> None:
        self._receiver = self._loop.create_future()
        try:
            await self._receiver
        finally:
            self._receiver = None


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
