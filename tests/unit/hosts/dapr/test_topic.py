"""Topics as files: what becomes a message, and when."""

from __future__ import annotations

import pytest

from unit.hosts.dapr.dapr_guest import DaprGuest
from wasm_grpc.core.model import Limits
from wasm_grpc.core.wire import DaprAnswer, DaprStatus
from wasm_grpc.hosts.wasi.abi import (
    EACCES,
    EEXIST,
    EINVAL,
    EIO,
    ENOSPC,
    EPERM,
    ESPIPE,
    FDFLAG_APPEND,
    SUCCESS,
    WHENCE_END,
    WHENCE_SET,
)

__all__ = []

PATH = "publish/pubsub/news"


@pytest.mark.parametrize("mode", ["w", "wc", "wct", "+", "+ct"])
def test_a_message_is_published_at_close(mode: str) -> None:
    """However it is opened, all that is written is one message."""
    guest = DaprGuest()
    fd = guest.open(PATH, mode, flags=FDFLAG_APPEND if mode == "wc" else 0)
    guest.write(fd, b"one ")
    guest.write(fd, b"message")
    before = list(guest.dapr.calls)

    assert (before, guest.close(fd), guest.dapr.published) == ([], SUCCESS, [b"one message"])
    assert guest.dapr.calls[0][1]["dataContentType"] == "application/octet-stream"


def test_each_sync_ends_a_message() -> None:
    """What was written since the last message is the next one, and nothing is none."""
    guest = DaprGuest()
    fd = guest.open(PATH, "w")
    assert guest.wasi("fd_sync", fd) == SUCCESS
    for message in (b"one", b"two"):
        guest.write(fd, message)
        assert guest.wasi("fd_sync", fd) == guest.wasi("fd_datasync", fd) == SUCCESS

    assert guest.close(fd) == SUCCESS
    assert guest.dapr.published == [b"one", b"two"]


def test_parameters() -> None:
    """The content type is the message's; all others are metadata."""
    guest = DaprGuest()
    fd = guest.open(PATH + "?content-type=application/json&ttlInSeconds=5&rawPayload=true", "wct")
    guest.write(fd, b"{}")
    assert guest.close(fd) == SUCCESS

    fields = guest.dapr.calls[0][1]
    assert fields["dataContentType"] == "application/json"
    assert fields["metadata"] == {"ttlInSeconds": "5", "rawPayload": "true"}


def test_a_topic_pretends_to_be_a_file() -> None:
    """It exists and is empty; a seek does nothing, and a size of 0 takes back what was written."""
    guest = DaprGuest()
    fd = guest.open(PATH, "+ct")
    guest.write(fd, b"abc")

    assert (guest.size(PATH), guest.tell(fd)) == (0, 3)
    assert (guest.seek(fd, 0, WHENCE_SET), guest.seek(fd, 0, WHENCE_END)) == (0, 3)
    assert guest.wasi("fd_filestat_set_size", fd, 1) == guest.wasi("fd_allocate", fd, 0, 9) == EINVAL
    assert guest.wasi("fd_filestat_set_size", fd, 0) == SUCCESS
    guest.write(fd, b"x")
    assert guest.seek(fd, 0, WHENCE_SET) == 0
    guest.write(fd, b"y")
    assert guest.close(fd) == SUCCESS
    assert guest.dapr.published == [b"xy"]


def test_what_a_topic_can_not_do() -> None:
    """It can't be read, removed, or created exclusively, and none of that calls Dapr."""
    guest = DaprGuest()
    fd = guest.open(PATH, "+")

    assert (guest.try_open(PATH), guest.try_read(fd)) == (EACCES, EACCES)
    assert (guest.try_read(fd, at=0), guest.try_write(fd, b"x", at=0)) == (ESPIPE, ESPIPE)
    assert (guest.path("path_unlink_file", PATH), guest.try_open(PATH, "wcx")) == (EPERM, EEXIST)
    assert (guest.close(fd), guest.dapr.calls) == (SUCCESS, [])


@pytest.mark.parametrize("path", ["publish/pubsub/new", "publish/pubsub/news2", "publish/other/news"])
def test_a_topic_that_is_not_granted(path: str) -> None:
    """The denial names it."""
    guest = DaprGuest()

    assert guest.try_open(path, "w") == EACCES
    assert guest.call.denials[0].startswith(f"topic '{path.partition('/')[2]}' is not granted")


def test_a_message_that_fails_is_tried_again() -> None:
    """The sync reports it, and the close publishes it."""
    guest = DaprGuest()
    fd = guest.open(PATH, "w")
    guest.write(fd, b"x")
    guest.dapr.answers = [DaprAnswer(DaprStatus.FAILED, "INTERNAL: broker is down")]

    assert (guest.wasi("fd_sync", fd), guest.close(fd)) == (EIO, SUCCESS)
    assert guest.dapr.published == [b"x", b"x"]
    assert guest.log == "dapr: topic 'pubsub/news' could not be published: INTERNAL: broker is down\n"


def test_messages_share_the_room() -> None:
    """What is unsent is limited, and what is sent is not counted."""
    guest = DaprGuest(limits=Limits(output_bytes=10))
    for _ in range(3):
        one, other = guest.open(PATH, "w"), guest.open("publish/pubsub/wide-1", "w")
        guest.write(one, b"1234567")
        assert guest.try_write(other, b"1234") == ENOSPC
        guest.write(other, b"123")
        assert guest.wasi("fd_sync", one) == SUCCESS
        guest.write(other, b"4567890")
        assert guest.close(one) == guest.close(other) == SUCCESS

    assert guest.dapr.published == [b"1234567", b"1234567890"] * 3
