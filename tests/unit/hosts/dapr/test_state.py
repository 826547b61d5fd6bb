"""Keys of state stores as files: when a value is read, when it is saved, and what a file of it can do."""

from __future__ import annotations

import pytest

from unit.hosts.dapr.dapr_guest import DAPR, TMP, DaprGuest
from wasm_grpc.core.model import Limits
from wasm_grpc.core.wire import DaprAnswer, DaprStatus
from wasm_grpc.hosts.wasi.abi import (
    EACCES,
    EBADF,
    EEXIST,
    EFBIG,
    EINVAL,
    EIO,
    ENOENT,
    ENOSPC,
    ENOTDIR,
    EROFS,
    EXDEV,
    FDFLAG_APPEND,
    OFLAG_DIRECTORY,
    SUCCESS,
    WHENCE_END,
    WHENCE_SET,
)

__all__ = []

KEY = ("store", "k")
PATH = "state/store/k"
UNAVAILABLE = DaprAnswer(DaprStatus.UNAVAILABLE, "no sidecar")


def _guest(value: bytes | None = None) -> DaprGuest:
    guest = DaprGuest()
    if value is not None:
        guest.dapr.state[KEY] = value
    return guest


def test_a_value_is_read_once_at_open() -> None:
    """Opening reads the value; reads, seeks and the size of the open file call nothing more."""
    guest = _guest(b"hello world")

    fd = guest.open(PATH)

    assert (guest.read(fd, 5), guest.read(fd), guest.read(fd)) == (b"hello", b" world", b"")
    assert (guest.read(fd, 3, at=6), guest.seek(fd, -5, WHENCE_END), guest.read(fd)) == (b"wor", 6, b"world")
    assert guest.close(fd) == SUCCESS
    assert guest.dapr.calls == [("GetState", {"storeName": "store", "key": "k"})]


@pytest.mark.parametrize("mode", ["r", "w", "+", "wt"])
def test_a_missing_key(mode: str) -> None:
    """A key that is missing can't be opened unless it is created."""
    guest = _guest()

    assert (guest.try_open(PATH, mode), guest.stat(PATH)) == (ENOENT, ENOENT)
    assert guest.dapr.methods == ["GetState"] * 2


def test_an_empty_value_is_a_file() -> None:
    """An empty value is no missing key."""
    guest = _guest(b"")

    assert (guest.size(PATH), guest.read(guest.open(PATH))) == (0, b"")


def test_a_value_is_saved_at_close() -> None:
    """What is written in several pieces is saved once and as a whole, without reading what it replaces."""
    guest = _guest(b"a longer value")

    fd = guest.open(PATH, "wct")
    guest.write(fd, b"he")
    guest.write(fd, b"llo")
    before = list(guest.dapr.calls)
    errno = guest.close(fd)

    assert (before, errno, guest.dapr.methods, guest.dapr.state[KEY]) == (
        [],
        SUCCESS,
        ["SaveState"],
        b"hello",
    )


@pytest.mark.parametrize(
    ("value", "mode", "methods", "after"),
    [
        (b"old", "wct", ["SaveState"], b""),
        (b"old", "wt", ["GetState", "SaveState"], b""),
        (b"old", "wc", ["GetState"], b"old"),
        (b"old", "w", ["GetState"], b"old"),
        (b"old", "r", ["GetState"], b"old"),
        (b"old", "rt", ["GetState", "SaveState"], b""),
        (None, "wct", ["SaveState"], b""),
        (None, "wc", ["GetState", "SaveState"], b""),
        (None, "wcx", ["GetState", "SaveState"], b""),
        (None, "rc", ["GetState", "SaveState"], b""),
    ],
)
def test_opening_may_be_a_write(value: bytes | None, mode: str, methods: list[str], after: bytes) -> None:
    """A file that opening creates or truncates is saved, though nothing is written; no other is."""
    guest = _guest(value)

    assert guest.close(guest.open(PATH, mode)) == SUCCESS
    assert (guest.dapr.methods, guest.dapr.state[KEY]) == (methods, after)


def test_an_existing_key_is_not_created_exclusively() -> None:
    """``creat`` with ``excl`` refuses a key that exists."""
    assert _guest(b"").try_open(PATH, "wctx") == EEXIST


def test_a_value_is_changed_in_place() -> None:
    """Opened for reading and writing, it is overwritten, appended to and cut as any file."""
    guest = _guest(b"hello world")
    fd = guest.open(PATH, "+")

    assert guest.read(fd, 5) == b"hello"
    guest.write(fd, b"_")
    guest.write(fd, b"HE", at=0)
    assert (guest.tell(fd), guest.seek(fd, 0, WHENCE_SET), guest.read(fd)) == (6, 0, b"HEllo_world")
    assert guest.wasi("fd_filestat_set_size", fd, 5) == SUCCESS
    assert guest.close(fd) == SUCCESS

    assert (guest.dapr.methods, guest.dapr.state[KEY]) == (["GetState", "SaveState"], b"HEllo")


def test_a_value_is_appended_to() -> None:
    """With ``append`` each write goes to the end."""
    guest = _guest(b"log:")
    fd = guest.open(PATH, "wc", flags=FDFLAG_APPEND)
    guest.write(fd, b" one")
    guest.write(fd, b" two")

    assert guest.close(fd) == SUCCESS
    assert guest.dapr.state[KEY] == b"log: one two"


@pytest.mark.parametrize("change", ["fd_filestat_set_size", "fd_allocate"])
def test_a_new_size_is_a_write(change: str) -> None:
    """A file that only changes its size is saved."""
    guest = _guest(b"abc")
    fd = guest.open(PATH, "+")
    args = (5,) if change == "fd_filestat_set_size" else (0, 5)

    assert guest.wasi(change, fd, *args) == guest.close(fd) == SUCCESS
    assert guest.dapr.state[KEY] == b"abc\0\0"


@pytest.mark.parametrize("sync", ["fd_sync", "fd_datasync"])
def test_sync_saves(sync: str) -> None:
    """It saves what has changed since the last time, and nothing if nothing has."""
    guest = _guest()
    fd = guest.open(PATH, "wct")
    saved = []
    for piece in (b"a", b"", b"b"):
        if piece:
            guest.write(fd, piece)
        assert guest.wasi(sync, fd) == SUCCESS
        saved.append((len(guest.dapr.calls), guest.dapr.state[KEY]))

    assert guest.close(fd) == SUCCESS
    assert (saved, len(guest.dapr.calls)) == ([(1, b"a"), (1, b"a"), (2, b"ab")], 2)


def test_each_descriptor_has_its_own_copy() -> None:
    """What one descriptor has written, another sees once it is saved and opened anew."""
    guest = _guest(b"old")
    one, other = guest.open(PATH, "+"), guest.open(PATH)
    guest.write(one, b"new")
    before = guest.read(other)
    assert guest.close(one) == SUCCESS

    assert (before, guest.read(guest.open(PATH))) == (b"old", b"new")


def test_a_key_is_deleted() -> None:
    """Unlinking deletes, whether or not the key exists, and reads nothing."""
    guest = _guest(b"value")

    assert guest.path("path_unlink_file", PATH) == guest.path("path_unlink_file", PATH) == SUCCESS
    assert (guest.dapr.state, guest.dapr.methods) == ({}, ["DeleteState"] * 2)


def test_parameters_are_metadata() -> None:
    """Each call carries them; the content type goes along with what is saved, slash and all."""
    guest = _guest(b"")
    path = PATH + "?ttlInSeconds=60&content-type=application/json"
    assert guest.close(guest.open(path, "wct")) == guest.stat(path) == SUCCESS
    assert guest.path("path_unlink_file", path) == SUCCESS

    save, get, delete = (fields for _, fields in guest.dapr.calls)
    ttl = {"ttlInSeconds": "60"}
    assert save["states"][0]["metadata"] == {**ttl, "contentType": "application/json"}
    assert (get["metadata"], delete["metadata"]) == (ttl, ttl)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("state/store/orders-%2F1", "orders-/1"),
        ("state/store/orders-%2E%2E", "orders-.."),
        ("state/other/%2E%2E", ".."),
        ("state/other/%00", "\0"),
        ("state/other/%25%3F", "%?"),
        ("state/../state/other/./é", "é"),
        ("state/other/../other/x", "x"),
        ("state/other/" + "n" * 1000, "n" * 1000),
    ],
)
def test_a_name_is_decoded(path: str, key: str) -> None:
    """The key is what the last component decodes to; only components themselves are "." and ".."."""
    guest = DaprGuest()

    assert guest.stat(path) == ENOENT
    assert [fields["key"] for _, fields in guest.dapr.calls] == [key]


@pytest.mark.parametrize(
    "name", ["orders", "orders-%zz", "Orders-1", "..%2Fk", "k%00", "k%2F", "kk", "%20k", "%2A"]
)
def test_a_name_that_is_not_granted(name: str) -> None:
    """It can't be known, opened, created or deleted, and Dapr is not called. A broken escape is no name."""
    guest = DaprGuest()
    path = f"state/store/{name}"
    errno = EINVAL if "%zz" in name else EACCES

    answers = [guest.stat(path), guest.try_open(path), guest.try_open(path, "wct")]
    answers += [guest.path("path_unlink_file", path), guest.path("path_create_directory", path)]

    assert (answers, guest.dapr.calls) == ([errno] * 5, [])
    assert bool(guest.call.denials) is (errno == EACCES)


def test_a_denial_names_the_key_and_its_grant() -> None:
    """The guest's log says what was missing."""
    guest = DaprGuest()

    assert guest.try_open("state/missing/a%2Fb") == EACCES

    line = "state 'missing/a/b' is not granted; expected it in capabilities.dapr.state"
    assert (guest.call.denials, guest.log) == ([line], f"{line}\n")


def test_denials_take_no_memory() -> None:
    """A guest that asks without end is denied without end, and only the first lines are kept."""
    guest = DaprGuest()
    for number in range(1000):
        assert guest.stat(f"state/store/no-{number}") == EACCES

    assert len(guest.call.denials) < 100
    assert "no-0" in guest.call.denials[0]


@pytest.mark.parametrize(
    ("status", "errno", "line"),
    [
        (DaprStatus.UNAVAILABLE, EIO, "dapr: state 'store/k' could not be read: UNAVAILABLE: why"),
        (DaprStatus.FAILED, EIO, "dapr: state 'store/k' could not be read: why"),
        (DaprStatus.INVALID, EINVAL, "dapr: state 'store/k' could not be read: INVALID: why"),
        (DaprStatus.DENIED, EACCES, "why"),
    ],
)
def test_a_failed_read(status: DaprStatus, errno: int, line: str) -> None:
    """The guest gets an errno, and its log the reason."""
    guest = _guest(b"value")
    guest.dapr.answers = [DaprAnswer(status, "why")]

    assert guest.try_open(PATH) == errno
    assert guest.log == f"{line}\n"
    assert guest.call.denials == (["why"] if status is DaprStatus.DENIED else [])


def test_a_failed_close_closes() -> None:
    """The guest gets the errno once; the descriptor is gone, and what it held is not sent later."""
    guest = _guest(b"old")
    fd = guest.open(PATH, "wct")
    guest.write(fd, b"new")
    guest.dapr.answers = [UNAVAILABLE]

    assert (guest.close(fd), guest.close(fd)) == (EIO, EBADF)
    guest.memory.context.finish()
    assert (guest.dapr.methods, guest.dapr.state[KEY]) == (["SaveState"], b"old")
    assert guest.log == "dapr: state 'store/k' could not be written: UNAVAILABLE: no sidecar\n"


def test_a_failed_sync_is_tried_again() -> None:
    """What could not be saved is still unsaved."""
    guest = _guest()
    fd = guest.open(PATH, "wct")
    guest.write(fd, b"new")
    guest.dapr.answers = [UNAVAILABLE]

    assert (guest.wasi("fd_sync", fd), guest.close(fd)) == (EIO, SUCCESS)
    assert guest.dapr.state[KEY] == b"new"


def test_a_request_that_is_too_long_for_the_server() -> None:
    """The file is too big."""
    guest = _guest()
    fd = guest.open(PATH, "wct")
    guest.dapr.answers = [DaprAnswer(DaprStatus.INVALID, "the request is over 4 MiB")]

    assert guest.close(fd) == EFBIG


def test_renumbering_saves_what_is_replaced() -> None:
    """The guest gets the errno of the close, and the descriptor has its new number."""
    guest = _guest()
    replaced, fd = guest.open(PATH, "wct"), guest.open("state/store/orders-1", "wct")
    guest.dapr.answers = [UNAVAILABLE]

    assert guest.wasi("fd_renumber", fd, replaced) == EIO
    assert (guest.close(fd), guest.close(replaced)) == (EBADF, SUCCESS)
    assert list(guest.dapr.state) == [("store", "orders-1")]


def test_what_is_held_is_limited() -> None:
    """Open files hold at most a result's size together, and a closed file gives its room back."""
    guest = DaprGuest(limits=Limits(output_bytes=10))
    guest.dapr.state[KEY] = b"12345678"
    for _ in range(3):
        one, other = guest.open(PATH), guest.open("state/store/orders-1", "wct")
        guest.write(other, b"ab")
        assert (guest.try_write(other, b"c"), guest.try_open(PATH)) == (ENOSPC, ENOSPC)
        assert guest.wasi("fd_allocate", other, 0, 1 << 62) == ENOSPC
        assert guest.close(one) == guest.close(other) == SUCCESS
        assert guest.dapr.state["store", "orders-1"] == b"ab"

    assert "dapr: state 'store/k' has 8 bytes; expected at most 0 more (limits.output)\n" in guest.log


@pytest.mark.parametrize(
    ("name", "args"),
    [("path_create_directory", ()), ("path_remove_directory", ())],
)
def test_directories_are_made_by_grants_alone(name: str, args: tuple[int, ...]) -> None:
    """No directory is created or removed."""
    guest = _guest(b"value")
    expected = {"path_create_directory": EROFS, "path_remove_directory": ENOTDIR}[name]

    assert guest.path(name, PATH, *args) == expected
    assert guest.path(name, "nothing") == {EROFS: EROFS, ENOTDIR: ENOENT}[expected]
    assert guest.dapr.calls == []


def test_links_and_renames() -> None:
    """They don't lead into /dapr or out of it, whether or not a key exists."""
    guest = _guest(b"value")
    guest.path("path_create_directory", "d", fd=TMP)

    answers = [
        guest.two_paths("path_rename", DAPR, PATH, TMP, "x"),
        guest.two_paths("path_rename", TMP, "d", DAPR, PATH),
        guest.two_paths("path_rename", DAPR, PATH, DAPR, "state/store/orders-1"),
        guest.two_paths("path_link", DAPR, PATH, TMP, "x"),
        guest.two_paths("path_link", DAPR, PATH, DAPR, "state/store/orders-1"),
    ]

    assert answers == [EXDEV, EROFS, EROFS, EXDEV, EROFS]
    assert guest.path("path_readlink", PATH, 0, 8, 64) == EINVAL
    assert guest.path_with_lookup("path_filestat_set_times", PATH, 0, 0, 1) == EROFS
    assert guest.wasi("fd_filestat_set_times", guest.open(PATH), 0, 0, 1) == EROFS


@pytest.mark.parametrize("path", ["state/store/k/x", "state/store/k/", "state/store/k/."])
def test_a_key_is_no_directory(path: str) -> None:
    """Nothing is below a key."""
    guest = _guest(b"value")

    assert (guest.try_open(path), guest.try_open(PATH, oflags=OFLAG_DIRECTORY)) == (ENOTDIR, ENOTDIR)
    assert guest.dapr.calls == []
