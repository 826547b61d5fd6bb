"""
What files, folders and links answer: a guest for each function and errno.

The assertions on scratch files are those of the public WASI test suite (WebAssembly/wasi-testsuite,
preview 1), told in our own words; a case is named after the suite's where it follows one.

Descriptor 3 is /model, granted: a.txt ("hello"), sub/b.txt, up -> sub/../a.txt, loop -> loop,
gone -> nowhere, out -> ../../etc, dir -> sub. Descriptor 4 is /tmp. The first that is opened is 5.
"""

from __future__ import annotations

from conformance.wasi.cases import Case
from conformance.wasi.steps import RESULT, Step, calls
from wasm_grpc.core.model import Limits
from wasm_grpc.hosts.wasi import abi

__all__ = ["FILE_CASES"]

MODEL, TMP, FIRST = 3, 4, 5
FOLLOW = abi.LOOKUP_SYMLINK_FOLLOW
READ, WRITE = abi.RIGHT_FD_READ, abi.RIGHT_FD_WRITE
CREAT, DIRECTORY, EXCL, TRUNC = abi.OFLAG_CREAT, abi.OFLAG_DIRECTORY, abi.OFLAG_EXCL, abi.OFLAG_TRUNC
READ_AT, STAT_AT = 4096, 512
MAX = (1 << 64) - 1


def _open(
    errno: int,
    fd: int,
    path: str | bytes,
    *,
    oflags: int = 0,
    rights: int = 0,
    lookup: int = 0,
    flags: int = 0,
) -> Step:
    return (errno, "path_open", fd, lookup, path, oflags, rights, MAX, flags, RESULT)


def _make(path: str, fd: int = TMP) -> Step:
    return _open(0, fd, path, oflags=CREAT, rights=READ | WRITE)


def _opens(*paths: tuple[int, int, str | bytes, int]) -> Case:
    return calls(*[_open(errno, fd, path, lookup=lookup) for errno, fd, path, lookup in paths])


LONG_NAME = "n" * 256
LONG_PATH = "d/" * 2048 + "e"

OPENING = {
    "open-a-file": _opens((0, MODEL, "a.txt", 0)),
    "open-below": _opens((0, MODEL, "sub/b.txt", 0)),
    "open-dots-and-slashes": _opens((0, MODEL, "sub/.//../sub///./b.txt", 0)),
    "open-itself": _opens((0, MODEL, ".", 0), (0, MODEL, "sub/..", 0)),
    "open-a-folder-with-slashes": _opens((0, MODEL, "sub///", 0)),
    "open-missing": _opens((abi.ENOENT, MODEL, "b.txt", 0), (abi.ENOENT, MODEL, "no/b.txt", 0)),
    "open-a-file-with-a-slash": _opens((abi.ENOTDIR, MODEL, "a.txt/", 0), (abi.ENOTDIR, MODEL, "a.txt//", 0)),
    "open-below-a-file": _opens((abi.ENOTDIR, MODEL, "a.txt/b", 0), (abi.ENOTDIR, MODEL, "a.txt/..", 0)),
    "open-nothing": _opens((abi.ENOENT, MODEL, "", 0)),
    "open-absolute": _opens((abi.EPERM, MODEL, "/model/a.txt", 0), (abi.EPERM, MODEL, "/", 0)),
    "open-above": _opens(
        (abi.EPERM, MODEL, "..", 0),
        (abi.EPERM, MODEL, "../model/a.txt", 0),
        (abi.EPERM, MODEL, "sub/../../model/a.txt", 0),
    ),
    "open-a-link-out": _opens((abi.EPERM, MODEL, "out", FOLLOW), (abi.EPERM, MODEL, "out/passwd", 0)),
    "open-a-link": _opens((0, MODEL, "up", FOLLOW), (0, MODEL, "dir/b.txt", 0), (0, MODEL, "dir/", 0)),
    "open-a-link-itself": _opens((abi.ELOOP, MODEL, "up", 0), (abi.ELOOP, MODEL, "gone", 0)),
    "open-a-loop": _opens((abi.ELOOP, MODEL, "loop", FOLLOW), (abi.ELOOP, MODEL, "loop/x", 0)),
    "open-a-dangling-link": _opens((abi.ENOENT, MODEL, "gone", FOLLOW)),
    "open-nul": _opens((abi.EINVAL, MODEL, b"a.txt\0", 0)),
    "open-not-utf-8": _opens((abi.EILSEQ, MODEL, b"\xff", 0)),
    "open-a-long-name": _opens((abi.ENAMETOOLONG, MODEL, LONG_NAME, 0), (abi.ENOENT, MODEL, "n" * 255, 0)),
    "open-a-long-path": _opens((abi.ENAMETOOLONG, MODEL, LONG_PATH, 0)),
    "open-unknown-flags": calls(
        _open(abi.EINVAL, MODEL, "a.txt", oflags=16),
        _open(abi.EINVAL, MODEL, "a.txt", flags=32),
        _open(abi.EINVAL, MODEL, "a.txt", lookup=2),
    ),
    "open-below-what-is-no-folder": calls(_make("file"), _open(abi.ENOTDIR, FIRST, "foo", oflags=CREAT)),
    "open-a-file-as-a-folder": calls(_open(abi.ENOTDIR, MODEL, "a.txt", oflags=DIRECTORY)),
    "open-a-folder-to-write": calls(
        _open(0, TMP, ".", oflags=DIRECTORY, rights=READ),
        _open(abi.EISDIR, TMP, ".", oflags=DIRECTORY, rights=READ | WRITE),
        _open(abi.EISDIR, TMP, ".", oflags=TRUNC),
    ),
    "create-existing": calls(
        _make("file"),
        _open(abi.EEXIST, TMP, "file", oflags=CREAT | EXCL),
        _open(0, TMP, "file", oflags=CREAT),
    ),
    "create-through-a-dangling-link": calls(
        (0, "path_symlink", "target", TMP, "link"),
        _open(abi.EEXIST, TMP, "link", oflags=CREAT | EXCL, lookup=FOLLOW),
        _open(0, TMP, "link", oflags=CREAT, lookup=FOLLOW),
        _open(0, TMP, "target"),
    ),
    "create-with-a-slash": calls(_open(abi.EISDIR, TMP, "file/", oflags=CREAT)),
    "too-many-open": calls(*[_open(0, MODEL, "a.txt")] * 1019, _open(abi.EMFILE, MODEL, "a.txt")),
    "read-only": calls(
        _open(abi.EROFS, MODEL, "a.txt", rights=WRITE),
        _open(abi.EROFS, MODEL, "new", oflags=CREAT),
        _open(abi.EROFS, MODEL, "a.txt", oflags=TRUNC),
        (abi.EROFS, "path_create_directory", MODEL, "new"),
        (abi.EROFS, "path_filestat_set_times", MODEL, 0, "a.txt", 0, 0, 5),
        (abi.EROFS, "path_link", MODEL, 0, "a.txt", MODEL, "new"),
        (abi.EROFS, "path_remove_directory", MODEL, "sub"),
        (abi.EROFS, "path_rename", MODEL, "a.txt", MODEL, "new"),
        (abi.EROFS, "path_symlink", "a.txt", MODEL, "new"),
        (abi.EROFS, "path_unlink_file", MODEL, "a.txt"),
        _open(0, MODEL, "a.txt", rights=READ),
        (abi.EROFS, "fd_filestat_set_times", FIRST, 0, 0, 5),
        (abi.EBADF, "fd_filestat_set_size", FIRST, 0),
        (abi.EBADF, "fd_allocate", FIRST, 0, 1),
    ),
}

RIGHTS = {
    "read-without-rights": calls(
        _open(0, MODEL, "a.txt"),
        (abi.EBADF, "fd_read", FIRST, 0, 1, RESULT),
        (abi.EBADF, "fd_pread", FIRST, 0, 1, 0, RESULT),
        (abi.EBADF, "fd_write", FIRST, 0, 1, RESULT),
        (abi.EBADF, "fd_pwrite", FIRST, 0, 1, 0, RESULT),
    ),
    "rights-dropped-from-the-folder": calls(
        (0, "fd_fdstat_set_rights", TMP, abi.FOLDER_RIGHTS, abi.FILE_RIGHTS & ~READ),
        _open(abi.ENOTCAPABLE, TMP, "file", oflags=CREAT, rights=READ),
        _open(0, TMP, "file", oflags=CREAT, rights=WRITE),
        (abi.ENOTCAPABLE, "fd_fdstat_set_rights", TMP, abi.FOLDER_RIGHTS, abi.FILE_RIGHTS),
    ),
    "truncation-rights": calls(
        _make("file"),
        _open(0, TMP, "file", oflags=TRUNC),
        (
            0,
            "fd_fdstat_set_rights",
            TMP,
            abi.FOLDER_RIGHTS & ~abi.RIGHT_PATH_FILESTAT_SET_SIZE,
            abi.FILE_RIGHTS,
        ),
        _open(abi.EPERM, TMP, "file", oflags=TRUNC),
    ),
    "no-rights-at-all": calls(
        _make("file"),
        (0, "fd_fdstat_set_rights", FIRST, 0, 0),
        (abi.ENOTCAPABLE, "fd_seek", FIRST, 0, 0, RESULT),
        (abi.ENOTCAPABLE, "fd_tell", FIRST, RESULT),
        (abi.ENOTCAPABLE, "fd_advise", FIRST, 0, 0, 0),
        (abi.ENOTCAPABLE, "fd_allocate", FIRST, 0, 1),
        (abi.ENOTCAPABLE, "fd_sync", FIRST),
        (abi.ENOTCAPABLE, "fd_datasync", FIRST),
        (abi.ENOTCAPABLE, "fd_filestat_get", FIRST, RESULT),
        (abi.ENOTCAPABLE, "fd_filestat_set_size", FIRST, 1),
        (abi.ENOTCAPABLE, "fd_filestat_set_times", FIRST, 0, 0, 0),
        (0, "fd_fdstat_set_rights", TMP, 0, 0),
        _open(abi.ENOTCAPABLE, TMP, "file"),
        (abi.EBADF, "fd_readdir", TMP, READ_AT, 100, 0, RESULT),
        (abi.ENOTCAPABLE, "path_create_directory", TMP, "d"),
        (abi.ENOTCAPABLE, "path_filestat_get", TMP, 0, "file", STAT_AT),
        (abi.ENOTCAPABLE, "path_filestat_set_times", TMP, 0, "file", 0, 0, 0),
        (abi.ENOTCAPABLE, "path_link", TMP, 0, "file", TMP, "link"),
        (abi.ENOTCAPABLE, "path_readlink", TMP, "file", READ_AT, 9, RESULT),
        (abi.ENOTCAPABLE, "path_remove_directory", TMP, "d"),
        (abi.ENOTCAPABLE, "path_rename", TMP, "file", TMP, "link"),
        (abi.ENOTCAPABLE, "path_symlink", "file", TMP, "link"),
        (abi.ENOTCAPABLE, "path_unlink_file", TMP, "file"),
    ),
    "folder-is-no-file": calls(
        (abi.EBADF, "fd_read", TMP, 0, 1, RESULT),
        (abi.EBADF, "fd_pread", TMP, 0, 1, 0, RESULT),
        (abi.EBADF, "fd_write", TMP, 0, 1, RESULT),
        (abi.EBADF, "fd_pwrite", TMP, 0, 1, 0, RESULT),
        (abi.EBADF, "fd_seek", TMP, 0, 1, RESULT),
        (abi.EBADF, "fd_tell", TMP, RESULT),
        (abi.EBADF, "fd_advise", TMP, 0, 0, 0),
        (abi.EBADF, "fd_allocate", TMP, 0, 0),
        (abi.EBADF, "fd_filestat_set_size", TMP, 0),
        (0, "fd_sync", TMP),
        (0, "fd_datasync", TMP),
        (0, "fd_filestat_get", TMP, STAT_AT),
    ),
    "file-is-no-folder": calls(
        _make("file"),
        (abi.ENOTDIR, "fd_readdir", FIRST, READ_AT, 100, 0, RESULT),
        (abi.EBADF, "fd_prestat_get", FIRST, RESULT),
        (abi.ENOTSOCK, "sock_shutdown", FIRST, 3),
    ),
}

POSITIONS = {
    "seek-and-tell": calls(
        _make("file"),
        (0, "fd_allocate", FIRST, 0, 100),
        (0, "fd_seek", FIRST, 0, abi.WHENCE_END, RESULT),
        (0, "fd_seek", FIRST, -50, abi.WHENCE_CUR, RESULT),
        (0, "fd_seek", FIRST, 1000, abi.WHENCE_CUR, RESULT),
        (abi.EINVAL, "fd_seek", FIRST, -2000, abi.WHENCE_CUR, RESULT),
        (abi.EINVAL, "fd_seek", FIRST, -1, abi.WHENCE_SET, RESULT),
        (abi.EINVAL, "fd_seek", FIRST, 0, 3, RESULT),
        (0, "fd_seek", FIRST, (1 << 63) - 1, abi.WHENCE_SET, RESULT),
        (abi.EINVAL, "fd_seek", FIRST, 1, abi.WHENCE_CUR, RESULT),
        (0, "fd_tell", FIRST, RESULT),
    ),
    "advise": calls(
        _make("file"),
        (0, "fd_advise", FIRST, 10, 50, 5),
        (abi.EINVAL, "fd_advise", FIRST, 10, 50, 6),
        (abi.EINVAL, "fd_advise", FIRST, 10, -1, 0),
    ),
    "allocate-and-set-size": calls(
        _make("file"),
        (abi.EINVAL, "fd_allocate", FIRST, 0, 0),
        (abi.EINVAL, "fd_allocate", FIRST, 1, -1),
        (0, "fd_allocate", FIRST, 90, 20),
        (0, "fd_filestat_set_size", FIRST, 10),
        (abi.ENOSPC, "fd_filestat_set_size", FIRST, 64 * 1024),
        (abi.ENOSPC, "fd_filestat_set_size", FIRST, -1),
        (abi.ENOSPC, "fd_allocate", FIRST, 1 << 40, 1),
        (0, "fd_sync", FIRST),
        (0, "fd_datasync", FIRST),
    ),
    "scratch-is-given-back": calls(
        *[
            step
            for _ in range(5)
            for step in (
                _make("file"),
                (0, "fd_allocate", FIRST, 0, 60_000),
                (0, "path_unlink_file", TMP, "file"),
                _make("file"),
                (abi.ENOSPC, "fd_allocate", FIRST + 1, 0, 60_000),
                (0, "fd_close", FIRST),
                (0, "fd_allocate", FIRST + 1, 0, 60_000),
                (0, "fd_close", FIRST + 1),
                (0, "path_unlink_file", TMP, "file"),
            )
        ]
    ),
    "names-take-scratch": calls(
        (0, "path_create_directory", TMP, "a"),
        (abi.ENOSPC, "path_create_directory", TMP, "b"),
        (abi.ENOSPC, "path_symlink", "a", TMP, "b"),
        _open(abi.ENOSPC, TMP, "b", oflags=CREAT),
        (0, "path_remove_directory", TMP, "a"),
        _open(0, TMP, "b", oflags=CREAT),
        limits=Limits(scratch_bytes=600),
    ),
    "no-scratch-at-all": calls(
        (0, "fd_prestat_get", MODEL, RESULT),
        (abi.EBADF, "fd_prestat_get", TMP, RESULT),
        (abi.EBADF, "sock_shutdown", TMP, 3),
        limits=Limits(scratch_bytes=0),
    ),
    "set-times": calls(
        _make("file"),
        (0, "fd_filestat_set_times", FIRST, 100, 200, abi.FSTFLAG_ATIM | abi.FSTFLAG_MTIM),
        (abi.EINVAL, "fd_filestat_set_times", FIRST, 1, 2, abi.FSTFLAG_MTIM | abi.FSTFLAG_MTIM_NOW),
        (abi.EINVAL, "fd_filestat_set_times", FIRST, 1, 2, abi.FSTFLAG_ATIM | abi.FSTFLAG_ATIM_NOW),
        (abi.EINVAL, "fd_filestat_set_times", FIRST, 1, 2, 16),
        (0, "path_filestat_set_times", TMP, FOLLOW, "file", 0, 0, abi.FSTFLAG_MTIM_NOW),
        (abi.ENOENT, "path_filestat_set_times", TMP, 0, "no", 0, 0, 0),
    ),
    "preopens": calls(
        (0, "fd_prestat_get", MODEL, RESULT),
        (0, "fd_prestat_dir_name", MODEL, READ_AT, 7),
        (0, "fd_prestat_dir_name", MODEL, READ_AT, 6),
        (abi.ENAMETOOLONG, "fd_prestat_dir_name", MODEL, READ_AT, 5),
        (0, "fd_prestat_get", TMP, RESULT),
        (abi.EBADF, "fd_prestat_get", FIRST, RESULT),
        (0, "fd_renumber", TMP, MODEL),
        (abi.EBADF, "fd_fdstat_get", TMP, RESULT),
        (0, "fd_close", MODEL),
        (abi.EBADF, "fd_prestat_get", MODEL, RESULT),
    ),
    "renumber-files": calls(
        _make("one"),
        _make("two"),
        (0, "fd_renumber", FIRST, FIRST + 1),
        (abi.EBADF, "fd_close", FIRST),
        (0, "fd_close", FIRST + 1),
        (0, "fd_renumber", 1, TMP),
        (0, "fd_fdstat_get", TMP, RESULT),
    ),
}

NAMES = {
    "create-directory": calls(
        (0, "path_create_directory", TMP, "d"),
        (0, "path_create_directory", TMP, "d/e/"),
        (abi.EEXIST, "path_create_directory", TMP, "d"),
        (abi.EEXIST, "path_create_directory", TMP, "."),
        (abi.ENOENT, "path_create_directory", TMP, "no/d"),
        (abi.EPERM, "path_create_directory", TMP, "../d"),
    ),
    "remove-directory": calls(
        (0, "path_create_directory", TMP, "d"),
        (0, "path_create_directory", TMP, "d/e"),
        (abi.ENOTEMPTY, "path_remove_directory", TMP, "d"),
        (abi.EINVAL, "path_remove_directory", TMP, "d/."),
        (0, "path_remove_directory", TMP, "d/e"),
        (0, "path_remove_directory", TMP, "d/"),
        (abi.ENOENT, "path_remove_directory", TMP, "d"),
        _make("file"),
        (abi.ENOTDIR, "path_remove_directory", TMP, "file"),
        (abi.ENOTDIR, "path_remove_directory", TMP, "file/"),
    ),
    "removed-while-open": calls(
        (0, "path_create_directory", TMP, "d"),
        _open(0, TMP, "d"),
        (0, "path_remove_directory", TMP, "d"),
        (abi.ENOENT, "path_create_directory", FIRST, "e"),
        _open(abi.ENOENT, FIRST, "e", oflags=CREAT),
        _make("file"),
        (0, "path_unlink_file", TMP, "file"),
        (0, "fd_allocate", FIRST + 1, 0, 10),
        (0, "fd_close", FIRST + 1),
    ),
    "unlink-file": calls(
        (0, "path_create_directory", TMP, "d"),
        (abi.EISDIR, "path_unlink_file", TMP, "d"),
        (abi.EISDIR, "path_unlink_file", TMP, "d/"),
        _make("file"),
        (abi.ENOTDIR, "path_unlink_file", TMP, "file/"),
        (0, "path_unlink_file", TMP, "file"),
        (abi.ENOENT, "path_unlink_file", TMP, "file"),
    ),
    "link": calls(
        _make("file"),
        (0, "path_link", TMP, 0, "file", TMP, "link"),
        (abi.EEXIST, "path_link", TMP, 0, "file", TMP, "link"),
        (abi.EEXIST, "path_link", TMP, 0, "file", TMP, "file"),
        (abi.ENOENT, "path_link", TMP, 0, "file", TMP, "new/"),
        (abi.EINVAL, "path_link", TMP, FOLLOW, "file", TMP, "new"),
        (0, "path_create_directory", TMP, "d"),
        (abi.EPERM, "path_link", TMP, 0, "d", TMP, "new"),
        (abi.EEXIST, "path_link", TMP, 0, "d", TMP, "d"),
        (abi.EXDEV, "path_link", MODEL, 0, "a.txt", TMP, "new"),
        (0, "path_unlink_file", TMP, "file"),
        _open(0, TMP, "link"),
    ),
    "link-to-a-dangling-link": calls(
        (0, "path_symlink", "target", TMP, "symlink"),
        (0, "path_link", TMP, 0, "symlink", TMP, "link"),
        (0, "path_readlink", TMP, "link", READ_AT, 9, RESULT),
        (0, "path_unlink_file", TMP, "symlink"),
        (0, "path_unlink_file", TMP, "link"),
    ),
    "symlink": calls(
        (abi.ENOENT, "path_symlink", "source", TMP, "target/"),
        (0, "path_symlink", "source", TMP, "target"),
        (abi.EEXIST, "path_symlink", "source", TMP, "target"),
        (abi.EPERM, "path_symlink", "/etc/passwd", TMP, "absolute"),
        (abi.ENOENT, "path_symlink", "", TMP, "empty"),
        (0, "path_symlink", "../../etc", TMP, "out"),
        _open(abi.EPERM, TMP, "out/passwd"),
        (0, "path_create_directory", TMP, "d"),
        (abi.EEXIST, "path_symlink", "source", TMP, "d/"),
        _make("file"),
        (abi.EEXIST, "path_symlink", "source", TMP, "file/"),
    ),
    "a-slash-does-not-follow-what-is-changed": calls(
        (0, "path_create_directory", TMP, "d"),
        (0, "path_symlink", "d", TMP, "link"),
        (0, "path_symlink", "nowhere", TMP, "gone"),
        (abi.ENOTDIR, "path_remove_directory", TMP, "link/"),
        (abi.ENOTDIR, "path_unlink_file", TMP, "link/"),
        (abi.ENOTDIR, "path_unlink_file", TMP, "gone/"),
        (abi.EEXIST, "path_create_directory", TMP, "gone/"),
        (abi.EEXIST, "path_create_directory", TMP, "link/"),
        (abi.EEXIST, "path_symlink", "x", TMP, "gone/"),
        (abi.ENOTDIR, "path_rename", TMP, "link/", TMP, "new"),
        (0, "path_create_directory", TMP, "other"),
        (abi.ENOTDIR, "path_rename", TMP, "other", TMP, "link/"),
        (abi.ENOTDIR, "path_rename", TMP, "other", TMP, "gone/"),
        (abi.ENOENT, "path_filestat_get", TMP, FOLLOW, "gone", STAT_AT),
        _open(0, TMP, "link/"),
    ),
    "what-is-there-comes-before-a-slash": calls(
        _make("file"),
        (0, "path_create_directory", TMP, "d"),
        (abi.EEXIST, "path_create_directory", TMP, "file/"),
        (abi.EEXIST, "path_symlink", "x", TMP, "file/"),
        (abi.EEXIST, "path_link", TMP, 0, "file", TMP, "file/"),
        (abi.ENOTDIR, "path_rename", TMP, "file", TMP, "d/"),
        (abi.ENOTDIR, "path_rename", TMP, "file", TMP, "file/"),
        (0, "path_rename", TMP, "d", TMP, "d/"),
        _open(abi.EISDIR, TMP, "file/", oflags=CREAT),
        _open(abi.EISDIR, TMP, "d/", oflags=CREAT | EXCL),
        _open(abi.ENOTDIR, TMP, "file/"),
        (0, "path_symlink", "d", TMP, "link"),
        _open(abi.ENOTDIR, TMP, "link", oflags=DIRECTORY),
    ),
    "readlink": calls(
        (0, "path_readlink", MODEL, "up", READ_AT, 100, RESULT),
        (0, "path_readlink", MODEL, "up", READ_AT, 0, RESULT),
        (abi.EINVAL, "path_readlink", MODEL, "a.txt", READ_AT, 100, RESULT),
        (abi.ENOENT, "path_readlink", MODEL, "no", READ_AT, 100, RESULT),
    ),
    "filestat": calls(
        (0, "path_filestat_get", MODEL, 0, "loop", STAT_AT),
        (abi.ELOOP, "path_filestat_get", MODEL, FOLLOW, "loop", STAT_AT),
        (abi.ENOENT, "path_filestat_get", MODEL, FOLLOW, "gone", STAT_AT),
        (abi.EINVAL, "path_filestat_get", MODEL, 2, "a.txt", STAT_AT),
    ),
    "rename-folders": calls(
        (0, "path_create_directory", TMP, "source"),
        (0, "path_rename", TMP, "source/", TMP, "target"),
        (abi.ENOENT, "path_rename", TMP, "source", TMP, "x"),
        (0, "path_rename", TMP, "target", TMP, "source/"),
        (0, "path_create_directory", TMP, "target"),
        (0, "path_rename", TMP, "source", TMP, "target"),
        (0, "path_create_directory", TMP, "source"),
        _make("target/file"),
        (abi.ENOTEMPTY, "path_rename", TMP, "source", TMP, "target"),
        (abi.ENOTDIR, "path_rename", TMP, "source", TMP, "target/file"),
        (abi.EINVAL, "path_rename", TMP, "target", TMP, "target/below"),
        (abi.EINVAL, "path_rename", TMP, "target/.", TMP, "x"),
        (abi.EISDIR, "path_rename", TMP, "target/file", TMP, "source"),
    ),
    "rename-files": calls(
        _make("source"),
        _make("target"),
        (0, "path_rename", TMP, "source", TMP, "target"),
        (abi.ENOENT, "path_unlink_file", TMP, "source"),
        (0, "path_rename", TMP, "target", TMP, "target"),
        (0, "path_link", TMP, 0, "target", TMP, "twin"),
        (0, "path_rename", TMP, "target", TMP, "twin"),
        (abi.ENOTDIR, "path_rename", TMP, "target", TMP, "new/"),
        (abi.EXDEV, "path_rename", MODEL, "a.txt", TMP, "new"),
    ),
    "readdir": calls(
        (0, "fd_readdir", MODEL, READ_AT, 0, 0, RESULT),
        (0, "fd_readdir", MODEL, READ_AT, 4096, 0, RESULT),
        (0, "fd_readdir", MODEL, READ_AT, 4096, MAX, RESULT),
    ),
}

FILE_CASES: dict[str, Case] = OPENING | RIGHTS | POSITIONS | NAMES
