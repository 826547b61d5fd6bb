"""``clock_*`` and ``poll_oneoff``: real clocks, and one real wait for input or the first deadline."""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wasm_grpc.hosts.wasi.abi import (
    ABSTIME,
    CLOCK_MONOTONIC,
    CLOCK_PROCESS_CPUTIME,
    CLOCK_REALTIME,
    CLOCK_THREAD_CPUTIME,
    EBADF,
    EINVAL,
    ENOTSUP,
    EVENT,
    EVENT_CLOCK,
    EVENT_FD_READ,
    EVENT_FD_WRITE,
    EVENT_HANGUP,
    RIGHT_FD_READ,
    RIGHT_FD_WRITE,
    SIZE,
    SUBSCRIPTION,
    SUBSCRIPTION_UNSTABLE,
    SUCCESS,
    TIMESTAMP,
)
from wasm_grpc.hosts.wasi.calls import Refusal, declare, region
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.descriptors import Descriptor, InputStream

__all__ = ["FUNCTIONS", "poll_oneoff_unstable"]

_CLOCK: Final = struct.Struct("<I4xQ8xH6x")
"""subscription_clock: clock, timeout, (precision), flags."""

_CLOCK_UNSTABLE: Final = struct.Struct("<8xI4xQ8xH6x")
"""subscription_clock of ``wasi_unstable``: the same after an identifier, which events don't contain."""

_LONGEST_SLEEP_NS: Final = 1 << 62
"""146 years, which `time.sleep` still accepts."""

_SUBSCRIPTIONS_LIMIT: Final = 65_536
"""Limit on subscriptions, which bounds the host's memory. More are EINVAL, as for POSIX ``poll`` beyond its
limit."""

_SYSTEM_CLOCKS: Final = {
    CLOCK_REALTIME: time.CLOCK_REALTIME,
    CLOCK_MONOTONIC: time.CLOCK_MONOTONIC,
    CLOCK_PROCESS_CPUTIME: time.CLOCK_THREAD_CPUTIME_ID,
    CLOCK_THREAD_CPUTIME: time.CLOCK_THREAD_CPUTIME_ID,
}
"""A guest runs on one thread of the worker, so both of its CPU clocks are that thread's clock."""


@dataclass(frozen=True, slots=True)
class _Wait:
    """
    One subscription. A clock's event is due after `delay_ns`.

    Attributes:
        descriptor: For ``fd_read``: the descriptor whose input or end is awaited.
    """

    userdata: int
    kind: int
    delay_ns: int = 0
    errno: int = SUCCESS
    descriptor: Descriptor | None = None

    def is_due(self, passed_ns: int) -> bool:
        """
        Return whether the event is due, `passed_ns` nanoseconds after the wait began.
        """
        if self.descriptor is not None:
            return self.descriptor.available() is not None
        return self.delay_ns <= passed_ns

    def event(self) -> tuple[int, int, int, int, int]:
        """
        Return the fields of the event.
        """
        if self.descriptor is None:
            return self.userdata, self.errno, self.kind, 0, 0
        size = self.descriptor.available() or 0
        # No hang-up at the end of a file: more may be written to it.
        is_over = not size and isinstance(self.descriptor, InputStream)
        return self.userdata, self.errno, self.kind, size, EVENT_HANGUP if is_over else 0


def _clock_time_get(context: WasiContext, clock: int, precision: int, time_at: int) -> None:
    TIMESTAMP.pack_into(context.memory(), time_at, _now_ns(context, clock))


def _clock_res_get(context: WasiContext, clock: int, resolution_at: int) -> None:
    resolution_s = time.clock_getres(_system_clock(clock))
    TIMESTAMP.pack_into(context.memory(), resolution_at, max(1, round(resolution_s * 1e9)))


def _system_clock(clock: int) -> int:
    try:
        return _SYSTEM_CLOCKS[clock]
    except KeyError:
        raise Refusal(EINVAL) from None


def _now_ns(context: WasiContext, clock: int) -> int:
    now = time.clock_gettime_ns(_system_clock(clock))
    # CPU clocks begin at 0 with each invocation.
    return now if clock <= CLOCK_MONOTONIC else now - context.cpu_zero_ns


def _poll_oneoff(context: WasiContext, waits_at: int, events_at: int, count: int, ready_at: int) -> None:
    _poll(context, waits_at, events_at, count, ready_at, subscription=SUBSCRIPTION, clock=_CLOCK)


def poll_oneoff_unstable(
    context: WasiContext, waits_at: int, events_at: int, count: int, ready_at: int
) -> None:
    """
    Run ``poll_oneoff`` of ``wasi_unstable``.
    """
    layouts = {"subscription": SUBSCRIPTION_UNSTABLE, "clock": _CLOCK_UNSTABLE}
    _poll(context, waits_at, events_at, count, ready_at, **layouts)


def _poll(
    context: WasiContext,
    waits_at: int,
    events_at: int,
    count: int,
    ready_at: int,
    *,
    subscription: struct.Struct,
    clock: struct.Struct,
) -> None:
    if not 0 < count <= _SUBSCRIPTIONS_LIMIT:
        raise Refusal(EINVAL)
    memory = context.memory()
    subscriptions = region(memory, waits_at, count * subscription.size)
    # Check both outputs before waiting, so that a bad pointer fails at once.
    region(memory, events_at, count * EVENT.size)
    region(memory, ready_at, SIZE.size)
    # Read all subscriptions before writing an event: the guest may have overlaid the two arrays.
    waits = [_wait(context, clock, *fields) for fields in subscription.iter_unpack(subscriptions)]
    passed_ns = 0 if any(wait.is_due(0) for wait in waits) else _wait_for_one(waits)
    events = [wait.event() for wait in waits if wait.is_due(passed_ns)]
    for place, event in enumerate(events):
        EVENT.pack_into(memory, events_at + place * EVENT.size, *event)
    SIZE.pack_into(memory, ready_at, len(events))


def _wait_for_one(waits: Sequence[_Wait]) -> int:
    """
    Wait for the first event of any subscription. Return the nanoseconds that have passed.
    """
    delays = [wait.delay_ns for wait in waits if wait.descriptor is None]
    inputs = [wait.descriptor for wait in waits if wait.descriptor is not None]
    if not inputs:
        return _sleep(min(delays))
    start = time.monotonic_ns()
    # Only standard input can block, and all its descriptors share one stream.
    inputs[0].wait(min(delays, default=None))
    passed_ns = time.monotonic_ns() - start
    if inputs[0].available() is None:
        # `wait` may return a little early if its clock is coarser.
        passed_ns = max(passed_ns, min(delays, default=0))
    return passed_ns


def _wait(context: WasiContext, clock: struct.Struct, userdata: int, kind: int, of: bytes) -> _Wait:
    if kind == EVENT_CLOCK:
        return _clock_wait(context, userdata, *clock.unpack(of))
    if kind not in (EVENT_FD_READ, EVENT_FD_WRITE):
        raise Refusal(EINVAL)
    right = RIGHT_FD_READ if kind == EVENT_FD_READ else RIGHT_FD_WRITE
    descriptor = context.descriptors.get(SIZE.unpack_from(of)[0])
    if descriptor is None or not descriptor.rights & right:
        return _Wait(userdata, kind, errno=EBADF)
    return _Wait(userdata, kind, descriptor=descriptor if kind == EVENT_FD_READ else None)


def _clock_wait(context: WasiContext, userdata: int, clock: int, timeout_ns: int, flags: int) -> _Wait:
    if clock in (CLOCK_PROCESS_CPUTIME, CLOCK_THREAD_CPUTIME):
        # A CPU clock stands still while the guest waits.
        return _Wait(userdata, EVENT_CLOCK, errno=ENOTSUP)
    if clock not in _SYSTEM_CLOCKS or flags & ~ABSTIME:
        return _Wait(userdata, EVENT_CLOCK, errno=EINVAL)
    if flags & ABSTIME:
        timeout_ns = max(0, timeout_ns - _now_ns(context, clock))
    return _Wait(userdata, EVENT_CLOCK, timeout_ns)


def _sleep(delay_ns: int) -> int:
    # Returns the nanoseconds that have passed, at least `delay_ns`. One sleep is enough, however long:
    # the server enforces the invocation's deadline by killing the worker.
    if not delay_ns:
        return 0
    start = time.monotonic_ns()
    time.sleep(min(delay_ns, _LONGEST_SLEEP_NS) / 1e9)
    return max(delay_ns, time.monotonic_ns() - start)


FUNCTIONS: Final = {
    "clock_res_get": declare("ii", _clock_res_get),
    "clock_time_get": declare("iIi", _clock_time_get),
    "poll_oneoff": declare("iiii", _poll_oneoff),
}
