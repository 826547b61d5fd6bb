"""Clocks, and ``poll_oneoff`` on clocks and streams."""

from __future__ import annotations

import struct
import time

import pytest

from unit.hosts.guest_memory import MemoryGuest
from wasm_grpc.hosts.wasi.abi import EBADF, EFAULT, EINVAL, ENOTSUP, SUCCESS

__all__ = []

REALTIME, MONOTONIC, PROCESS_CPUTIME, THREAD_CPUTIME = range(4)
CLOCK, FD_READ, FD_WRITE = range(3)
SECOND = 1_000_000_000
EVENTS_AT, COUNT_AT = 16384, 32768


def _clock(userdata: int, clock: int, timeout: int, *, absolute: bool = False, flags: int = 0) -> bytes:
    return struct.pack("<QB7xI4xQQH6x", userdata, CLOCK, clock, timeout, 0, absolute | flags)


def _stream(userdata: int, kind: int, fd: int) -> bytes:
    return struct.pack("<QB7xI28x", userdata, kind, fd)


def _poll(guest: MemoryGuest, *subscriptions: bytes) -> list[tuple[int, int, int]]:
    """Poll them all; give user data, errno and kind of each event."""
    guest.put(0, b"".join(subscriptions))
    assert guest.call("poll_oneoff", 0, EVENTS_AT, len(subscriptions), COUNT_AT) == SUCCESS
    events = guest.take(EVENTS_AT, 32 * guest.u32(COUNT_AT))
    return [fields[:3] for fields in struct.iter_unpack("<QHB5xQH6x", events)]


class Sleeps(list[float]):
    """The sleeps that were asked for, none of them slept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        monkeypatch.setattr(time, "sleep", self.append)


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> Sleeps:
    """Sleeps are noted down, not slept."""
    return Sleeps(monkeypatch)


@pytest.mark.parametrize(("clock", "ours"), [(REALTIME, time.time_ns), (MONOTONIC, time.monotonic_ns)])
def test_system_clocks_are_the_systems(clock: int, ours: type[int]) -> None:
    """The real and the monotonic clock are the machine's own."""
    guest = MemoryGuest()
    before = ours()

    errno = guest.call("clock_time_get", clock, 1, 64)

    assert errno == SUCCESS
    assert before <= guest.u64(64) <= ours()


@pytest.mark.parametrize("clock", [PROCESS_CPUTIME, THREAD_CPUTIME])
def test_cpu_clocks_begin_with_the_invocation(clock: int) -> None:
    """CPU time counts from the invocation's start: nothing of the worker's past shows."""
    before = time.thread_time_ns()
    guest = MemoryGuest()

    errno = guest.call("clock_time_get", clock, 0, 64)

    assert errno == SUCCESS
    assert guest.u64(64) <= time.thread_time_ns() - before


@pytest.mark.parametrize("clock", range(4))
def test_resolution(clock: int) -> None:
    """Each clock has a resolution, a nanosecond at least and a second at most."""
    guest = MemoryGuest()

    assert guest.call("clock_res_get", clock, 64) == SUCCESS
    assert 1 <= guest.u64(64) <= SECOND


@pytest.mark.parametrize("clock", [4, -1])
@pytest.mark.parametrize("name", ["clock_time_get", "clock_res_get"])
def test_unknown_clock(name: str, clock: int) -> None:
    """There are four clocks; another is EINVAL."""
    args = (clock, 0, 64) if name == "clock_time_get" else (clock, 64)

    assert MemoryGuest().call(name, *args) == EINVAL


def test_relative_sleep(sleeps: Sleeps) -> None:
    """One clock is one sleep of its length, and its user data comes back."""
    events = _poll(MemoryGuest(), _clock(0xFEED_BEEF_0123_4567, MONOTONIC, SECOND // 2))

    assert events == [(0xFEED_BEEF_0123_4567, SUCCESS, CLOCK)]
    assert sleeps == [0.5]


@pytest.mark.parametrize(("clock", "now"), [(REALTIME, time.time_ns), (MONOTONIC, time.monotonic_ns)])
def test_absolute_sleep(sleeps: Sleeps, clock: int, now: type[int]) -> None:
    """A deadline on a clock is slept for from now; one that has passed is due at once."""
    events = _poll(MemoryGuest(), _clock(7, clock, now() + 30 * SECOND, absolute=True))
    past = _poll(MemoryGuest(), _clock(8, clock, now() - SECOND, absolute=True))

    assert events == [(7, SUCCESS, CLOCK)]
    assert past == [(8, SUCCESS, CLOCK)]
    assert [29 < delay <= 30 for delay in sleeps] == [True]


def test_earliest_clock_wakes(sleeps: Sleeps) -> None:
    """Of several clocks the earliest ends the sleep, with all that are due then and no other."""
    events = _poll(
        MemoryGuest(),
        _clock(1, MONOTONIC, 60 * SECOND),
        _clock(2, MONOTONIC, SECOND),
        _clock(3, REALTIME, SECOND),
    )

    assert events == [(2, SUCCESS, CLOCK), (3, SUCCESS, CLOCK)]
    assert sleeps == [1]


def test_longest_timeout_is_slept(sleeps: Sleeps) -> None:
    """A timeout of 2^64 - 1 ns is one sleep as long as the system takes one, not an overflow."""
    events = _poll(MemoryGuest(), _clock(1, MONOTONIC, (1 << 64) - 1))

    assert events == [(1, SUCCESS, CLOCK)]
    # The system's sleep counts nanoseconds in 63 bits.
    assert [1 << 61 < delay * SECOND < 1 << 63 for delay in sleeps] == [True]


def test_streams_are_ready_at_once(sleeps: Sleeps) -> None:
    """Standard streams are ready, so a clock beside them is not waited for."""
    events = _poll(
        MemoryGuest(body=b"x"),
        _clock(1, MONOTONIC, SECOND),
        _stream(2, FD_READ, 0),
        _stream(3, FD_WRITE, 1),
        _stream(4, FD_WRITE, 2),
    )

    assert events == [(2, SUCCESS, FD_READ), (3, SUCCESS, FD_WRITE), (4, SUCCESS, FD_WRITE)]
    assert sleeps == []


BAD_SUBSCRIPTIONS = {
    "unknown-clock": (_clock(9, 4, 0), EINVAL, CLOCK),
    "unknown-flag": (_clock(9, MONOTONIC, 0, flags=2), EINVAL, CLOCK),
    "cpu-clock": (_clock(9, PROCESS_CPUTIME, 0), ENOTSUP, CLOCK),
    "not-open": (_stream(9, FD_READ, 3), EBADF, FD_READ),
    "wrong-direction": (_stream(9, FD_WRITE, 0), EBADF, FD_WRITE),
}


@pytest.mark.parametrize("case", BAD_SUBSCRIPTIONS)
def test_bad_subscription_is_its_own_event(sleeps: Sleeps, case: str) -> None:
    """What can't be waited for is an event with an errno, at once, and spoils no other."""
    subscription, errno, kind = BAD_SUBSCRIPTIONS[case]

    events = _poll(MemoryGuest(), subscription, _stream(1, FD_WRITE, 1), _clock(2, MONOTONIC, SECOND))

    assert events == [(9, errno, kind), (1, SUCCESS, FD_WRITE)]
    assert sleeps == []


@pytest.mark.parametrize("count", [0, 65_537, (1 << 32) - 1])
def test_number_of_subscriptions(count: int) -> None:
    """None, or more than 65,536, can't be waited for."""
    assert MemoryGuest().call("poll_oneoff", 0, EVENTS_AT, count, COUNT_AT) == EINVAL


@pytest.mark.parametrize(("events_at", "count_at"), [(65_536, COUNT_AT), (EVENTS_AT, 65_536)])
def test_bad_pointer_is_found_before_the_sleep(sleeps: Sleeps, events_at: int, count_at: int) -> None:
    """Where the events can't be put nothing is waited for."""
    guest = MemoryGuest()
    guest.put(0, _clock(1, MONOTONIC, SECOND))

    assert guest.call("poll_oneoff", 0, events_at, 1, count_at) == EFAULT
    assert sleeps == []


def test_unknown_kind_of_subscription() -> None:
    """A kind that the standard has not is EINVAL as a whole."""
    guest = MemoryGuest()
    guest.put(0, _stream(1, 3, 0))

    assert guest.call("poll_oneoff", 0, EVENTS_AT, 1, COUNT_AT) == EINVAL


def test_events_may_replace_the_subscriptions(sleeps: Sleeps) -> None:
    """Events written over the subscriptions leave none of them unread."""
    guest = MemoryGuest()
    subscriptions = [_clock(number, MONOTONIC, SECOND) for number in range(8)]
    guest.put(40, b"".join(subscriptions))

    errno = guest.call("poll_oneoff", 40, 60, 8, COUNT_AT)

    assert errno == SUCCESS
    assert [guest.u64(60 + 32 * index) for index in range(8)] == list(range(8))
