"""Bindings and methods of apps as files: a request is written, and its answer is read."""

from __future__ import annotations

import base64

import pytest

from unit.hosts.dapr.dapr_guest import DaprGuest
from wasm_grpc.core.model import Limits
from wasm_grpc.core.wire import DaprAnswer, DaprStatus
from wasm_grpc.hosts.wasi.abi import (
    EACCES,
    EBADF,
    EFBIG,
    EINVAL,
    EIO,
    ENOSPC,
    EPERM,
    ESPIPE,
    SUCCESS,
    WHENCE_CUR,
    WHENCE_END,
    WHENCE_SET,
)

__all__ = []

METHOD, BINDING = "invoke/app/upper", "bindings/mail/create"
FAILED = DaprAnswer(DaprStatus.FAILED, "NOT_FOUND: no such method")


def _sent(guest: DaprGuest) -> list[bytes]:
    fields = [each["message"] if method == "InvokeService" else each for method, each in guest.dapr.calls]
    return [base64.b64decode(each.get("data", "")) for each in fields]


@pytest.mark.parametrize(("path", "prefix"), [(METHOD, b"POST "), (BINDING, b"")])
@pytest.mark.parametrize("mode", ["+", "+ct"])
def test_a_request_and_its_answer(path: str, prefix: bytes, mode: str) -> None:
    """The first read sends what was written, and reads go on to the end of the answer."""
    guest = DaprGuest()
    fd = guest.open(path, mode)
    guest.write(fd, b"he")
    guest.write(fd, b"llo")
    before = list(guest.dapr.calls)

    answer = guest.read(fd, 3) + guest.read(fd)

    assert (before, answer, guest.read(fd)) == ([], prefix + b"HELLO", b"")
    assert (guest.close(fd), _sent(guest)) == (SUCCESS, [b"hello"])


def test_reading_alone_sends_an_empty_request() -> None:
    """An app is asked with GET; a binding gets no data."""
    guest = DaprGuest()

    assert guest.read(guest.open(METHOD)) == b"GET "
    assert guest.read(guest.open(BINDING, "+")) == b""
    assert _sent(guest) == [b"", b""]


def test_a_write_after_a_read_begins_the_next_request() -> None:
    """One descriptor carries one request after the other."""
    guest = DaprGuest()
    fd = guest.open(METHOD, "+")
    answers = []
    for request in (b"one", b"two", b"three"):
        guest.write(fd, request)
        answers.append(guest.read(fd, 7))
    guest.write(fd, b"four")

    assert guest.close(fd) == SUCCESS
    assert answers == [b"POST ON", b"POST TW", b"POST TH"]
    assert _sent(guest) == [b"one", b"two", b"three", b"four"]


@pytest.mark.parametrize("seek", [(0, WHENCE_SET), (0, WHENCE_CUR), (0, WHENCE_END)])
def test_a_seek_between_writing_and_reading(seek: tuple[int, int]) -> None:
    """It sends nothing and moves nothing; the answer is read from its beginning."""
    guest = DaprGuest()
    fd = guest.open(METHOD, "+")
    guest.write(fd, b"ab")
    guest.seek(fd, *seek)
    guest.write(fd, b"cd")
    guest.seek(fd, *seek)

    assert (guest.dapr.methods, guest.tell(fd), guest.read(fd), guest.tell(fd)) == ([], 4, b"POST ABCD", 9)


def test_a_seek_in_the_answer() -> None:
    """The answer is a file in memory: it is read again, and from anywhere."""
    guest = DaprGuest()
    fd = guest.open(METHOD, "+")
    guest.write(fd, b"abc")

    assert (guest.read(fd), guest.seek(fd, -3, WHENCE_CUR), guest.read(fd)) == (b"POST ABC", 5, b"ABC")
    assert (guest.seek(fd, -1, WHENCE_END), guest.read(fd)) == (7, b"C")
    assert (guest.seek(fd, 99, WHENCE_SET), guest.read(fd)) == (99, b"")
    # As C's library does, which has read ahead, before it writes.
    assert guest.seek(fd, 0, WHENCE_CUR) == 99
    guest.write(fd, b"next")
    assert (guest.read(fd), len(guest.dapr.calls)) == (b"POST NEXT", 2)


def test_reading_at_an_offset() -> None:
    """It sends the request as a read does, and moves nothing."""
    guest = DaprGuest()
    fd = guest.open(METHOD, "+")
    guest.write(fd, b"abc")

    assert (guest.read(fd, at=5), guest.read(fd, 4), guest.read(fd, at=99)) == (b"ABC", b"POST", b"")
    assert (len(guest.dapr.calls), guest.try_write(fd, b"x", at=0)) == (1, ESPIPE)


def test_what_is_never_read_is_sent() -> None:
    """A sync or a close sends it; after a sync its answer can still be read."""
    guest = DaprGuest()
    fd = guest.open(METHOD, "+")
    guest.write(fd, b"one")
    assert guest.wasi("fd_sync", fd) == guest.wasi("fd_sync", fd) == SUCCESS
    assert (_sent(guest), guest.read(fd)) == ([b"one"], b"POST ONE")
    guest.write(fd, b"two")
    assert guest.close(fd) == SUCCESS

    fd = guest.open(BINDING, "wct")
    guest.write(fd, b"three")
    assert guest.wasi("fd_datasync", fd) == SUCCESS
    guest.write(fd, b"four")
    assert (guest.try_read(fd), guest.close(fd)) == (EBADF, SUCCESS)
    assert _sent(guest) == [b"one", b"two", b"three", b"four"]


@pytest.mark.parametrize("path", [METHOD, BINDING])
def test_what_calls_nothing(path: str) -> None:
    """An exchange exists and is empty; to look at it, open, close or take back a request sends nothing."""
    guest = DaprGuest()
    assert guest.size(path) == 0
    fd = guest.open(path, "+ct")
    guest.write(fd, b"x")
    assert guest.wasi("fd_filestat_set_size", fd, 0) == SUCCESS
    assert guest.wasi("fd_filestat_set_size", fd, 1) == EINVAL

    assert guest.close(fd) == guest.close(guest.open(path)) == guest.close(guest.open(path, "wct")) == SUCCESS
    assert (guest.path("path_unlink_file", path), guest.dapr.calls) == (EPERM, [])


def test_parameters_of_a_method() -> None:
    """They are the query of its URL, but for the content type."""
    guest = DaprGuest()
    fd = guest.open(METHOD + "?a=1&content-type=text/plain&a=%26", "+")
    guest.write(fd, b"x")
    guest.read(fd)

    message = guest.dapr.calls[0][1]["message"]
    assert message["httpExtension"] == {"verb": "POST", "querystring": "a=1&a=%26"}
    assert (message["method"], message["contentType"]) == ("upper", "text/plain")


@pytest.mark.parametrize(
    "path",
    [
        BINDING + "?content-type=a/b",
        BINDING + "?to=a&to=b",
        METHOD + "?content-type=a&content-type=b",
        METHOD + "?flag",
    ],
)
def test_wrong_parameters(path: str) -> None:
    """A binding has no content type, metadata no name twice, and a parameter always a value."""
    assert DaprGuest().try_open(path, "+") == EINVAL


def test_a_read_that_fails_gives_up_its_request() -> None:
    """The guest has the errno, so nobody else sends it; another read does."""
    guest = DaprGuest()
    fd = guest.open(METHOD, "+")
    guest.write(fd, b"one")
    guest.dapr.answers = [FAILED, FAILED]

    assert (guest.try_read(fd), guest.wasi("fd_sync", fd), guest.try_read(fd)) == (EIO, SUCCESS, EIO)
    guest.memory.context.finish()
    assert (guest.read(fd), _sent(guest)) == (b"POST ONE", [b"one"] * 3)
    line = "dapr: method 'app/upper' could not be invoked: NOT_FOUND: no such method\n"
    assert guest.log == 2 * line

    guest.write(fd, b"two")
    guest.dapr.answers = [FAILED]
    assert (guest.try_read(fd), guest.close(fd), len(guest.dapr.calls)) == (EIO, SUCCESS, 4)


def test_a_write_after_a_failed_read_begins_anew() -> None:
    """The next request starts empty after one was given up."""
    guest = DaprGuest()
    fd = guest.open(METHOD, "+")
    guest.write(fd, b"one")
    guest.dapr.answers = [FAILED]
    assert guest.try_read(fd) == EIO
    guest.write(fd, b"two")

    assert guest.read(fd) == b"POST TWO"


def test_a_close_that_fails() -> None:
    """The descriptor is closed, and the errno is that of the sending."""
    guest = DaprGuest()
    fd = guest.open(BINDING, "w")
    guest.write(fd, b"x")
    guest.dapr.answers = [FAILED]

    assert (guest.close(fd), guest.close(fd)) == (EIO, EBADF)


def test_requests_and_answers_are_limited() -> None:
    """They share the room of the open files. A lost answer is not asked for again: that could do harm."""
    guest = DaprGuest(limits=Limits(output_bytes=12))
    for _ in range(3):
        fd = guest.open(METHOD, "+")
        assert guest.try_write(fd, b"1234567890123") == ENOSPC
        guest.write(fd, b"1234567")
        assert guest.read(fd) == b"POST 1234567"
        guest.write(fd, b"12345678")
        assert guest.try_read(fd) == guest.try_read(fd) == guest.try_read(fd, at=0) == ENOSPC
        assert guest.close(fd) == SUCCESS
    assert _sent(guest) == [b"1234567", b"12345678"] * 3

    assert "dapr: method 'app/upper' has 13 bytes; expected at most 12 more (limits.output)\n" in guest.log


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("state/store/k", "dapr: state 'store/k' could not be written: "),
        ("publish/pubsub/news", "dapr: topic 'pubsub/news' could not be published: "),
        (METHOD, "dapr: method 'app/upper' could not be invoked: "),
        (BINDING, "dapr: binding 'mail/create' could not be invoked: "),
    ],
)
def test_what_is_longer_than_a_request(path: str, line: str) -> None:
    """It is refused before a request is made of it, for which the worker has no memory."""
    guest = DaprGuest(limits=Limits(output_bytes=1 << 30))
    fd = guest.open(path, "wct")
    for _ in range(3 * 64):
        guest.write(fd, bytes(1 << 14))
    guest.write(fd, b"1")

    assert guest.wasi("fd_sync", fd) == guest.close(fd) == EFBIG
    assert guest.dapr.calls == []
    assert f"{line}3145729 bytes; expected at most 3145728\n" in guest.log


def test_a_method_that_is_not_granted() -> None:
    """The denial names it, decoded."""
    guest = DaprGuest()

    assert guest.try_open("invoke/elsewhere/orders%2F1") == guest.try_open("bindings/mail/get") == EACCES
    assert guest.call.denials[0].startswith("method 'elsewhere/orders/1' is not granted;")
    assert guest.stat("invoke/app/orders%2F1") == SUCCESS
