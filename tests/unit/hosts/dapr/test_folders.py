"""The directories below /dapr: what they list, and what is found in them."""

from __future__ import annotations

import pytest

from unit.hosts.dapr.dapr_guest import DAPR, DaprGuest
from wasm_grpc.core.model import DaprGrants
from wasm_grpc.hosts.wasi.abi import (
    EACCES,
    EEXIST,
    EILSEQ,
    EINVAL,
    EISDIR,
    EMFILE,
    ENOENT,
    ENOTCAPABLE,
    EPERM,
    EROFS,
    RIGHT_FD_WRITE,
    RIGHT_PATH_CREATE_FILE,
    RIGHT_PATH_FILESTAT_SET_SIZE,
    SUCCESS,
)

__all__ = []


def test_grants_are_listed() -> None:
    """Each directory lists what the grants name, and no pattern; nothing is called."""
    guest = DaprGuest()

    assert guest.listed() == [b"state", b"secrets", b"configuration", b"publish", b"bindings", b"invoke"]
    assert guest.listed("state") == [b"store", b"other"]
    assert guest.listed("state/store/") == [b"k"]
    assert guest.listed("state/other") == []
    assert guest.listed("configuration/config") == [b"colour", b"odd%2Fname"]
    assert guest.dapr.calls == []


def test_only_what_is_granted_is_listed() -> None:
    """A kind without grants is not listed, and can't be opened."""
    guest = DaprGuest(DaprGrants(state=("s/k",)))

    assert guest.listed() == [b"state"]
    assert guest.stat("secrets") == guest.stat("secrets/vault") == guest.try_open("publish") == EACCES
    assert guest.stat("state/s/k") == ENOENT
    assert guest.call.denials == [
        "no secret is granted; expected one in capabilities.dapr.secrets",
        "secret 'vault' is not granted; expected it in capabilities.dapr.secrets",
        "no topic is granted; expected one in capabilities.dapr.publish",
    ]


def test_odd_names_are_listed_encoded() -> None:
    """What is listed can be opened."""
    names = ("..", ".", "a?b", "50%", "tab\t", "nul\0", "é")
    guest = DaprGuest(DaprGrants(state=tuple(f"s/{name}" for name in names)))
    listed = guest.listed("state/s")

    assert [guest.stat(b"state/s/" + name) for name in listed] == [ENOENT] * len(names)
    assert [fields["key"] for _, fields in guest.dapr.calls] == list(names)


def test_a_name_granted_twice_is_listed_once() -> None:
    """A listing is a set."""
    assert DaprGuest(DaprGrants(state=("s/k", "s/k", "s/*"))).listed("state/s") == [b"k"]


@pytest.mark.parametrize(
    ("path", "errno"),
    [
        ("nonsense", ENOENT),
        ("nonsense/x", ENOENT),
        ("State", ENOENT),
        ("%73tate", ENOENT),
        ("state?a=1", ENOENT),
        ("state/store?a=1", EINVAL),
        ("state/store?a=1/k", EINVAL),
        ("state/st%zzore/k", EINVAL),
        ("state/store/?a=1", EINVAL),
        ("state/store/%", EINVAL),
        (b"state/store/\xff", EILSEQ),
        ("state/store/%FF", EILSEQ),
        ("state/store/orders-1?a", EINVAL),
        ("state/store/..", SUCCESS),
        ("state/..", SUCCESS),
        ("..", EPERM),
        ("state/../..", EPERM),
        ("/dapr/state", EPERM),
        ("state/%2E%2E/k", EACCES),
        ("state//store///k", ENOENT),
    ],
)
def test_what_a_path_leads_to(path: bytes | str, errno: int) -> None:
    """Kinds are spelt as they are; components and names may be encoded, and "." and ".." are what they are."""
    guest = DaprGuest()

    assert guest.stat(path) == errno


def test_directories_can_not_be_changed() -> None:
    """They are those of a read-only file system."""
    guest = DaprGuest()

    assert guest.path("path_create_directory", "state") == EEXIST
    assert guest.path("path_create_directory", "state/new") == EEXIST
    assert guest.path("path_create_directory", "new") == EROFS
    assert guest.path("path_remove_directory", "state") == EROFS
    assert guest.path("path_unlink_file", "state") == EISDIR
    assert guest.try_open("new", "wct") == EROFS
    assert guest.try_open("state", "w") == guest.try_open("state", "rt") == EISDIR
    assert guest.try_open("state/", "wc") == EISDIR
    assert guest.dapr.calls == []


def test_rights_that_were_dropped_are_gone() -> None:
    """A guest can give up the rights to create, to truncate and to write below /dapr."""
    guest = DaprGuest()
    guest.dapr.state["store", "k"] = b"value"
    missing, key = "state/store/orders-1", "state/store/k"
    opened = guest.memory.context.descriptors[DAPR]

    rights = opened.rights & ~RIGHT_PATH_CREATE_FILE
    assert guest.wasi("fd_fdstat_set_rights", DAPR, rights, opened.inheriting) == SUCCESS
    assert [guest.try_open(missing, "wc"), guest.try_open(key, "wct")] == [ENOTCAPABLE] * 2
    assert [guest.try_open(key, "wc"), guest.try_open(key, "wt")] == [SUCCESS] * 2

    rights &= ~RIGHT_PATH_FILESTAT_SET_SIZE
    assert guest.wasi("fd_fdstat_set_rights", DAPR, rights, opened.inheriting) == SUCCESS
    assert [guest.try_open(key, "wt"), guest.try_open(key, "w")] == [EPERM, SUCCESS]

    inheriting = opened.inheriting & ~RIGHT_FD_WRITE
    assert guest.wasi("fd_fdstat_set_rights", DAPR, rights, inheriting) == SUCCESS
    assert guest.try_open(key, "w") == ENOTCAPABLE


def test_a_file_without_a_number_is_not_opened() -> None:
    """With too many open descriptors, opening calls nothing and saves nothing."""
    guest = DaprGuest()
    while guest.try_open("publish/pubsub/news", "w") == SUCCESS:
        pass

    assert guest.try_open("state/store/k", "wct") == EMFILE
    assert guest.dapr.calls == []
