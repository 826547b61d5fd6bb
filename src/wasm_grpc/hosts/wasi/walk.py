"""Resolve a guest's path to a node, below one directory and never out of it."""

from __future__ import annotations

from dataclasses import dataclass

from wasm_grpc.hosts.wasi.abi import (
    EILSEQ,
    EINVAL,
    ELOOP,
    ENOENT,
    ENOTDIR,
    EPERM,
)
from wasm_grpc.hosts.wasi.nodes import Directory, Node
from wasm_grpc.hosts.wasi.refusal import Refusal
from wasm_grpc.hosts.wasi.tree import Link

__all__ = ["PATH_LIMIT_BYTES", "Place", "check_text", "walk"]

PATH_LIMIT_BYTES = 4096
"""Limit on a path and on a link's target: Linux's ``PATH_MAX``."""

_LINKS_LIMIT = 40
"""Limit on links followed in one path, as on Linux. It ends loops."""


@dataclass(frozen=True, slots=True)
class Place:
    """
    The result of resolving a path.

    Attributes:
        above: The folders from the starting directory down to the one that holds the last name.
        name: The last name, in the last folder; b"" if the path denotes that folder itself ("." or
            "..").
        node: The node of that name; None if there is none.
        wants_folder: The path ends with a slash.
    """

    above: tuple[Directory, ...]
    name: bytes
    node: Node | None
    wants_folder: bool

    @property
    def folder(self) -> Directory:
        """
        The folder that holds the last name.
        """
        return self.above[-1]

    def existing(self) -> Node:
        """
        Return the node.

        Raises:
            Refusal: ENOENT; ENOTDIR, if the path ends with a slash and the node is not a directory.
        """
        if self.node is None:
            raise Refusal(ENOENT)
        if self.wants_folder and not isinstance(self.node, Directory):
            raise Refusal(ENOTDIR)
        return self.node


def walk(base: Directory, path: bytes, *, follows_last: bool, is_changed: bool = False) -> Place:
    """
    Resolve `path` from `base`. Only the last name need not exist.

    If the path ends with a slash, its last link is followed whatever `follows_last` says, unless
    `is_changed` is set.
    Leaving `base`, by "..", an absolute path or a link's target, is EPERM, as the standard's own
    tests expect (``interesting_paths``).

    Args:
        base: The starting directory.
        path: The guest's path.
        follows_last: Whether to follow a link that is the last name.
        is_changed: The last name itself is to be created, removed or renamed.

    Raises:
        Refusal: The path is invalid or leads nowhere.
    """
    check_text(path)
    above = [base]
    # The remaining names, in reverse order.
    names = _names(path)
    wants_folder = path.endswith(b"/")
    links = 0
    while names:
        if names[-1] in (b".", b".."):
            _step_up(above, names.pop())
            continue
        name = above[-1].next_name(names)
        node = above[-1].find(name)
        if isinstance(node, Link) and (names or follows_last or (wants_folder and not is_changed)):
            links += 1
            if links > _LINKS_LIMIT:
                raise Refusal(ELOOP)
            _check_relative(node.target)
            wants_folder = wants_folder or (not names and node.target.endswith(b"/"))
            # The link's target takes the place of its name. `links` above bounds the work.
            names += _names(node.target)
        elif not names:
            return Place(tuple(above), name, node, wants_folder)
        else:
            above.append(_folder(node))
    return Place(tuple(above), b"", above[-1], wants_folder=True)


def _step_up(above: list[Directory], name: bytes) -> None:
    if name == b"..":
        above.pop()
        if not above:
            raise Refusal(EPERM)


def _folder(node: Node | None) -> Directory:
    if node is None:
        raise Refusal(ENOENT)
    if not isinstance(node, Directory):
        raise Refusal(ENOTDIR)
    return node


def check_text(path: bytes) -> None:
    """
    Check a path.

    Raises:
        Refusal: ENOENT, it is empty; EILSEQ, it is not UTF-8; EINVAL, it has a NUL;
            EPERM, it is absolute.
    """
    try:
        path.decode()
    except UnicodeDecodeError:
        raise Refusal(EILSEQ) from None
    if b"\0" in path:
        raise Refusal(EINVAL)
    _check_relative(path)


def _check_relative(path: bytes) -> None:
    if not path:
        raise Refusal(ENOENT)
    if path.startswith(b"/"):
        raise Refusal(EPERM)


def _names(path: bytes) -> list[bytes]:
    return [name for name in reversed(path.split(b"/")) if name]
