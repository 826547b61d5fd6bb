"""Secrets and configuration as files."""

from __future__ import annotations

import pytest

from unit.hosts.dapr.dapr_guest import DaprGuest
from wasm_grpc.hosts.wasi.abi import EACCES, EBADF, EINVAL, ENOENT, EROFS, SUCCESS

__all__ = []


def _guest() -> DaprGuest:
    guest = DaprGuest()
    guest.dapr.secrets = {("vault", "one"): {"one": "s3cret"}, ("vault", "many"): {"user": "u", "pass": "p"}}
    guest.dapr.configuration = {("config", "colour"): "blue", ("config", "odd/name"): ""}
    return guest


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("secrets/vault/one", b"s3cret"),
        ("secrets/vault/many", b'{"user": "u", "pass": "p"}'),
        ("configuration/config/colour", b"blue"),
        ("configuration/config/odd%2Fname", b""),
    ],
)
def test_a_value_is_read(path: str, value: bytes) -> None:
    """It has a size, and is read as any file."""
    guest = _guest()
    fd = guest.open(path)

    assert (guest.size(path), guest.read(fd, 2), guest.read(fd)) == (len(value), value[:2], value[2:])
    assert (guest.try_write(fd, b"x"), guest.close(fd), len(guest.dapr.calls)) == (EBADF, SUCCESS, 2)


@pytest.mark.parametrize("path", ["secrets/vault/one", "configuration/config/colour"])
def test_a_missing_value(path: str) -> None:
    """It is missing as a file is."""
    guest = DaprGuest()

    assert (guest.try_open(path), guest.stat(path)) == (ENOENT, ENOENT)


@pytest.mark.parametrize("path", ["secrets/vault/one", "configuration/config/colour"])
def test_a_value_is_read_only(path: str) -> None:
    """Nothing writes, creates, truncates or deletes it, and Dapr is not called."""
    guest = _guest()

    answers = [guest.try_open(path, mode) for mode in ("w", "+", "wct", "rt", "rc")]

    assert [*answers, guest.path("path_unlink_file", path)] == [EROFS] * 6
    assert guest.dapr.calls == []


def test_a_value_that_is_not_granted() -> None:
    """The denial names it."""
    guest = _guest()

    assert guest.try_open("secrets/vault/two") == guest.try_open("configuration/config/odd") == EACCES
    assert guest.call.denials == [
        "secret 'vault/two' is not granted; expected it in capabilities.dapr.secrets",
        "configuration 'config/odd' is not granted; expected it in capabilities.dapr.configuration",
    ]


def test_parameters_are_metadata() -> None:
    """What is only read has no content type."""
    guest = _guest()

    assert guest.stat("secrets/vault/one?version_id=2") == SUCCESS
    assert guest.dapr.calls[0][1]["metadata"] == {"version_id": "2"}
    assert guest.stat("secrets/vault/one?content-type=a/b") == EINVAL
