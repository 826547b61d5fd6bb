"""Whatever a guest does below /dapr, it gets errnos, and what open files hold is counted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from unit.hosts.dapr.dapr_guest import DaprGuest
from wasm_grpc.core.model import Limits
from wasm_grpc.core.wire import DaprAnswer, DaprStatus
from wasm_grpc.hosts.dapr.files import DaprFiles
from wasm_grpc.hosts.wasi.abi import SUCCESS

__all__ = []

ROOM = 40
PATHS = st.sampled_from([
    "state/store/k", "state/store/orders-1", "state/store/none", "secrets/vault/one",
    "configuration/config/colour", "publish/pubsub/news", "bindings/mail/create", "invoke/app/upper", "state", "",
])  # fmt: skip
OPENED = (
    "state/store/k", "secrets/vault/one", "publish/pubsub/news", "bindings/mail/create", "invoke/app/upper",
)  # fmt: skip
MODES = st.builds("".join, st.tuples(st.sampled_from("rw+"), st.sampled_from(["", "c", "t", "ct", "cx"])))
FDS = st.integers(5, 10)
OFFSETS = st.integers(0, ROOM)
STEPS = st.one_of(
    st.tuples(st.just("open"), PATHS, MODES),
    st.tuples(st.just("write"), FDS, st.binary(max_size=ROOM)),
    st.tuples(st.just("pwrite"), FDS, st.binary(max_size=10), OFFSETS),
    st.tuples(st.just("read"), FDS, OFFSETS),
    st.tuples(st.just("pread"), FDS, OFFSETS),
    st.tuples(st.just("fd_seek"), FDS, st.integers(-5, ROOM), st.integers(0, 3)),
    st.tuples(st.sampled_from(["fd_close", "fd_sync", "fd_datasync"]), FDS),
    st.tuples(st.sampled_from(["fd_filestat_set_size"]), FDS, OFFSETS),
    st.tuples(st.sampled_from(["fd_allocate"]), FDS, OFFSETS, OFFSETS),
    st.tuples(st.just("fd_renumber"), FDS, FDS),
    st.tuples(st.sampled_from(["stat", "path_unlink_file", "path_create_directory"]), PATHS),
    st.tuples(st.just("fail"), st.sampled_from([each for each in DaprStatus if each is not DaprStatus.OK])),
)


def _take(guest: DaprGuest, name: str, *args: Any) -> object:
    steps: dict[str, Callable[..., object]] = {
        "open": guest.try_open,
        "write": guest.try_write,
        "pwrite": lambda fd, data, at: guest.try_write(fd, data, at=at),
        "read": guest.try_read,
        "pread": lambda fd, at: guest.try_read(fd, at=at),
        "fd_seek": lambda fd, delta, whence: guest.wasi("fd_seek", fd, delta, whence, 64),
        "stat": guest.stat,
    }
    if name == "fail":
        guest.dapr.answers.append(DaprAnswer(args[0], "why"))
        return SUCCESS
    if name.startswith("path_"):
        return guest.path(name, *args)
    return steps.get(name, partial(guest.wasi, name))(*args)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_the_room_is_given_back(steps: list[tuple[str, object]]) -> None:
    """No step raises, no room is made or lost, and closing everything gives all of it back."""
    guest = DaprGuest(limits=Limits(output_bytes=ROOM))
    guest.dapr.state["store", "k"] = b"0123456789"
    guest.dapr.secrets["vault", "one"] = {"one": "s3cret"}
    volume = guest.memory.context.state_of(DaprFiles).volume

    for path in OPENED:
        guest.open(path, "+" if "secrets" not in path else "r")

    for step in steps:
        assert isinstance(_take(guest, *step), int), step
        assert 0 <= volume.room_bytes <= ROOM
    guest.dapr.answers.clear()
    for fd in [fd for fd in guest.memory.context.descriptors if fd > 4]:
        assert guest.close(fd) == SUCCESS

    assert volume.room_bytes == ROOM
    assert all(len(value) <= ROOM for value in guest.dapr.state.values())
