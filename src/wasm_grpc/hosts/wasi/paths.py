"""``path_*``: operations on names below an open directory."""

from __future__ import annotations

from typing import Final

from wasm_grpc.hosts.wasi.abi import (
    EINVAL,
    EISDIR,
    ENAMETOOLONG,
    ENOENT,
    ENOTDIR,
    ENOTEMPTY,
    EPERM,
    EROFS,
    EXDEV,
    FILESTAT,
    LOOKUP_SYMLINK_FOLLOW,
    RIGHT_PATH_CREATE_DIRECTORY,
    RIGHT_PATH_FILESTAT_GET,
    RIGHT_PATH_FILESTAT_SET_TIMES,
    RIGHT_PATH_LINK_SOURCE,
    RIGHT_PATH_LINK_TARGET,
    RIGHT_PATH_READLINK,
    RIGHT_PATH_REMOVE_DIRECTORY,
    RIGHT_PATH_RENAME_SOURCE,
    RIGHT_PATH_RENAME_TARGET,
    RIGHT_PATH_SYMLINK,
    RIGHT_PATH_UNLINK_FILE,
    SIZE,
)
from wasm_grpc.hosts.wasi.attributes import set_times
from wasm_grpc.hosts.wasi.calls import Refusal, declare, open_descriptor, region
from wasm_grpc.hosts.wasi.context import WasiContext
from wasm_grpc.hosts.wasi.nodes import Directory, Filestat, Node, OpenFolder
from wasm_grpc.hosts.wasi.opened import open_folder
from wasm_grpc.hosts.wasi.tree import Folder, Link
from wasm_grpc.hosts.wasi.volume import NODE_BYTES, Volume
from wasm_grpc.hosts.wasi.walk import PATH_LIMIT_BYTES, Place, check_text, walk

__all__ = ["FUNCTIONS", "find", "path_filestat"]


def find(context: WasiContext, opened: OpenFolder, at: int, length: int, lookup: int = 0) -> Place:
    """
    Resolve a path in guest memory from a directory; `lookup` holds ``lookupflags``.

    Raises:
        Refusal: See `walk`; EINVAL, the flags are unknown.
    """
    if lookup & ~LOOKUP_SYMLINK_FOLLOW:
        raise Refusal(EINVAL)
    path = _text(context, at, length)
    return walk(opened.node, path, follows_last=bool(lookup & LOOKUP_SYMLINK_FOLLOW))


def _find_to_change(context: WasiContext, opened: OpenFolder, at: int, length: int) -> Place:
    return walk(opened.node, _text(context, at, length), follows_last=False, is_changed=True)


def _text(context: WasiContext, at: int, length: int) -> bytes:
    text = region(context.memory(), at, length)
    # Checked before the copy: a guest may pass all of its memory as a path.
    if length > PATH_LIMIT_BYTES:
        raise Refusal(ENAMETOOLONG)
    return bytes(text)


def _path_create_directory(context: WasiContext, fd: int, at: int, length: int) -> None:
    opened = open_folder(context, fd, RIGHT_PATH_CREATE_DIRECTORY)
    place = _find_to_change(context, opened, at, length)
    _check_vacant(place)
    _add(opened.volume, place, NODE_BYTES)
    place.folder.put(place.name, Folder(opened.volume))


def path_filestat(context: WasiContext, fd: int, lookup: int, at: int, length: int) -> Filestat:
    """
    Return the attributes of the node at a path.

    Raises:
        Refusal: The errno of ``path_filestat_get``.
    """
    opened = open_folder(context, fd, RIGHT_PATH_FILESTAT_GET)
    return find(context, opened, at, length, lookup).existing().filestat(opened.volume)


def _path_filestat_get(
    context: WasiContext, fd: int, lookup: int, at: int, length: int, stat_at: int
) -> None:
    FILESTAT.pack_into(context.memory(), stat_at, *path_filestat(context, fd, lookup, at, length))


def _path_filestat_set_times(
    context: WasiContext,
    fd: int,
    lookup: int,
    at: int,
    length: int,
    accessed_ns: int,
    modified_ns: int,
    which: int,
) -> None:
    opened = open_folder(context, fd, RIGHT_PATH_FILESTAT_SET_TIMES)
    node = find(context, opened, at, length, lookup).existing()
    set_times(opened.volume, node, accessed_ns, modified_ns, which)


def _path_link(
    context: WasiContext,
    fd: int,
    lookup: int,
    at: int,
    length: int,
    new_fd: int,
    new_at: int,
    new_length: int,
) -> None:
    _open_both(context, fd, new_fd)
    source = open_folder(context, fd, RIGHT_PATH_LINK_SOURCE)
    target = open_folder(context, new_fd, RIGHT_PATH_LINK_TARGET)
    if lookup:
        # As the standard's own tests expect (path_link): symbolic links are never followed here.
        raise Refusal(EINVAL)
    node = find(context, source, at, length).existing()
    place = _find_to_change(context, target, new_at, new_length)
    _check_vacant(place, makes_folder=False)
    if isinstance(node, Directory):
        raise Refusal(EPERM)
    _check_one_volume(source, target)
    _add(target.volume, place, 0)
    place.folder.put(place.name, node)
    node.links += 1


def _path_readlink(
    context: WasiContext, fd: int, at: int, length: int, to: int, size: int, used_at: int
) -> None:
    opened = open_folder(context, fd, RIGHT_PATH_READLINK)
    node = find(context, opened, at, length).existing()
    if not isinstance(node, Link):
        raise Refusal(EINVAL)
    memory = context.memory()
    target = region(memory, to, size)
    region(memory, used_at, SIZE.size)
    piece = node.target[:size]
    target[: len(piece)] = piece
    SIZE.pack_into(memory, used_at, len(piece))


def _path_remove_directory(context: WasiContext, fd: int, at: int, length: int) -> None:
    opened = open_folder(context, fd, RIGHT_PATH_REMOVE_DIRECTORY)
    place = _find_to_change(context, opened, at, length)
    node = place.existing()
    if not isinstance(node, Directory):
        raise Refusal(ENOTDIR)
    if not place.name:
        raise Refusal(EINVAL)
    _check_writable(opened)
    if not node.is_empty:
        raise Refusal(ENOTEMPTY)
    node.remove(opened.volume, place.folder, place.name)


def _path_rename(
    context: WasiContext, fd: int, at: int, length: int, new_fd: int, new_at: int, new_length: int
) -> None:
    _open_both(context, fd, new_fd)
    source = open_folder(context, fd, RIGHT_PATH_RENAME_SOURCE)
    target = open_folder(context, new_fd, RIGHT_PATH_RENAME_TARGET)
    old = _find_to_change(context, source, at, length)
    new = _find_to_change(context, target, new_at, new_length)
    node = old.existing()
    _check_writable(target)
    _check_one_volume(source, target)
    if not old.name or not new.name or (isinstance(node, Folder) and _is_below(new.folder, node)):
        raise Refusal(EINVAL)
    if new.wants_folder and not isinstance(node, Directory):
        raise Refusal(ENOTDIR)
    if new.node is node:
        # Two names of one file: POSIX's rename does nothing.
        return
    _check_replaceable(node, new)
    # Before anything is removed, since the new name may not fit into the volume.
    target.volume.take_name(new.name)
    if new.node is not None:
        new.node.remove(target.volume, new.folder, new.name)
    old.folder.drop(old.name)
    target.volume.give_back_name(old.name)
    new.folder.put(new.name, node)


def _check_replaceable(node: Node, new: Place) -> None:
    if isinstance(node, Directory):
        if new.node is not None and not isinstance(new.node, Directory):
            raise Refusal(ENOTDIR)
        if isinstance(new.node, Directory) and not new.node.is_empty:
            raise Refusal(ENOTEMPTY)
    elif isinstance(new.node, Directory):
        raise Refusal(EISDIR)


def _path_symlink(
    context: WasiContext, target_at: int, target_length: int, fd: int, at: int, length: int
) -> None:
    opened = open_folder(context, fd, RIGHT_PATH_SYMLINK)
    target = _text(context, target_at, target_length)
    check_text(target)
    place = _find_to_change(context, opened, at, length)
    _check_vacant(place, makes_folder=False)
    _add(opened.volume, place, NODE_BYTES + len(target))
    place.folder.put(place.name, Link(opened.volume, target))


def _path_unlink_file(context: WasiContext, fd: int, at: int, length: int) -> None:
    opened = open_folder(context, fd, RIGHT_PATH_UNLINK_FILE)
    place = _find_to_change(context, opened, at, length)
    place.existing().unlink(opened.volume, place.folder, place.name)


def _open_both(context: WasiContext, fd: int, other: int) -> None:
    open_descriptor(context, fd)
    open_descriptor(context, other)


def _check_vacant(place: Place, *, makes_folder: bool = True) -> None:
    # POSIX's order: an existing node is reported before a trailing slash.
    if place.node is not None:
        raise Refusal(place.node.taken_errno)
    if place.wants_folder and not makes_folder:
        raise Refusal(ENOENT)


def _check_writable(opened: OpenFolder) -> None:
    if not opened.volume.is_writable:
        raise Refusal(EROFS)


def _check_one_volume(one: OpenFolder, other: OpenFolder) -> None:
    if one.volume is not other.volume:
        raise Refusal(EXDEV)


def _add(volume: Volume, place: Place, size: int) -> None:
    if not volume.is_writable:
        raise Refusal(EROFS)
    if not place.folder.links:
        # The folder was removed while it was open.
        raise Refusal(ENOENT)
    volume.take_name(place.name, for_node=size)


def _is_below(folder: Directory, above: Folder) -> bool:
    # Search downwards, since a folder doesn't know its parent. Only renaming a folder needs this.
    pending: list[Folder] = [above]
    while pending:
        one = pending.pop()
        if one is folder:
            return True
        pending += [node for node in one.entries.values() if isinstance(node, Folder)]
    return False


FUNCTIONS: Final = {
    "path_create_directory": declare("iii", _path_create_directory),
    "path_filestat_get": declare("iiiii", _path_filestat_get),
    "path_filestat_set_times": declare("iiiiIIi", _path_filestat_set_times),
    "path_link": declare("iiiiiii", _path_link),
    "path_readlink": declare("iiiiii", _path_readlink),
    "path_remove_directory": declare("iii", _path_remove_directory),
    "path_rename": declare("iiiiii", _path_rename),
    "path_symlink": declare("iiiii", _path_symlink),
    "path_unlink_file": declare("iii", _path_unlink_file),
}
