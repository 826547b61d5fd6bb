"""The table of preview 1: whole, typed as the standard types it, and safe from any argument."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from unit.hosts.guest_memory import MemoryGuest
from wasm_grpc.core.model import PAGE_BYTES
from wasm_grpc.engines.protocol import Context, FuncType, GuestExit
from wasm_grpc.hosts.wasi import preview1
from wasm_grpc.hosts.wasi.abi import EBADF, EFAULT, EINVAL, ENOTDIR, ENOTSOCK, ESPIPE
from wasm_grpc.hosts.wasi.context import WasiContext

__all__ = []

# Lowered from wasi_snapshot_preview1.witx: "i" is an i32, "I" an i64.
STANDARD = {
    "args_get": "ii",
    "args_sizes_get": "ii",
    "clock_res_get": "ii",
    "clock_time_get": "iIi",
    "environ_get": "ii",
    "environ_sizes_get": "ii",
    "fd_advise": "iIIi",
    "fd_allocate": "iII",
    "fd_close": "i",
    "fd_datasync": "i",
    "fd_fdstat_get": "ii",
    "fd_fdstat_set_flags": "ii",
    "fd_fdstat_set_rights": "iII",
    "fd_filestat_get": "ii",
    "fd_filestat_set_size": "iI",
    "fd_filestat_set_times": "iIIi",
    "fd_pread": "iiiIi",
    "fd_prestat_dir_name": "iii",
    "fd_prestat_get": "ii",
    "fd_pwrite": "iiiIi",
    "fd_read": "iiii",
    "fd_readdir": "iiiIi",
    "fd_renumber": "ii",
    "fd_seek": "iIii",
    "fd_sync": "i",
    "fd_tell": "ii",
    "fd_write": "iiii",
    "path_create_directory": "iii",
    "path_filestat_get": "iiiii",
    "path_filestat_set_times": "iiiiIIi",
    "path_link": "iiiiiii",
    "path_open": "iiiiiIIii",
    "path_readlink": "iiiiii",
    "path_remove_directory": "iii",
    "path_rename": "iiiiii",
    "path_symlink": "iiiii",
    "path_unlink_file": "iii",
    "poll_oneoff": "iiii",
    "proc_exit": "i",
    "proc_raise": "i",
    "random_get": "ii",
    "sched_yield": "",
    "sock_accept": "iii",
    "sock_recv": "iiiiii",
    "sock_send": "iiiii",
    "sock_shutdown": "ii",
}

EDGES = {
    "zero": 0,
    "unaligned": 3,
    "last-byte": PAGE_BYTES - 1,
    "end": PAGE_BYTES,
    "past-end": PAGE_BYTES + 1,
    "2^31": 1 << 31,
    "2^32-1": (1 << 32) - 1,
    "minus-1": -1,
    "minus-2^31": -(1 << 31),
}

# Where memory is used for sure: the arguments that reach it, None for the pointer under test.
POINTERS: dict[str, tuple[str, list[int | None]]] = {
    "args_get-pointers": ("args_get", [None, 0]),
    "args_get-strings": ("args_get", [0, None]),
    "args_sizes_get-count": ("args_sizes_get", [None, 0]),
    "args_sizes_get-size": ("args_sizes_get", [0, None]),
    "clock_res_get": ("clock_res_get", [0, None]),
    "clock_time_get": ("clock_time_get", [0, 0, None]),
    "environ_get-pointers": ("environ_get", [None, 0]),
    "environ_get-strings": ("environ_get", [0, None]),
    "environ_sizes_get-count": ("environ_sizes_get", [None, 0]),
    "environ_sizes_get-size": ("environ_sizes_get", [0, None]),
    "fd_fdstat_get": ("fd_fdstat_get", [0, None]),
    "fd_filestat_get": ("fd_filestat_get", [0, None]),
    "fd_read-vectors": ("fd_read", [0, None, 1, 0]),
    "fd_read-size": ("fd_read", [0, 0, 1, None]),
    "fd_write-vectors": ("fd_write", [1, None, 1, 0]),
    "fd_write-size": ("fd_write", [1, 0, 1, None]),
    "poll_oneoff-subscriptions": ("poll_oneoff", [None, 0, 1, 0]),
    "poll_oneoff-events": ("poll_oneoff", [0, None, 1, 0]),
    "poll_oneoff-count": ("poll_oneoff", [0, 256, 1, None]),
    "random_get": ("random_get", [None, 2]),
}

OUTSIDE = [edge for edge in EDGES if not 0 <= EDGES[edge] < PAGE_BYTES - 1]


def _type(params: str) -> FuncType:
    return FuncType(tuple("i32" if letter == "i" else "i64" for letter in params), ("i32",))


def test_table_is_the_standard() -> None:
    """Every function of preview 1 is there, with its type, and nothing else is."""
    expected = {(preview1.MODULE, name): _type(params) for name, params in STANDARD.items()}
    expected[preview1.MODULE, "proc_exit"] = FuncType(("i32",))

    types = {key: function.type for key, function in preview1.FUNCTIONS.items()}

    assert types == expected


def _argument_lists(params: str) -> Iterator[list[int]]:
    for edge in EDGES.values():
        yield [edge] * len(params)
        for position in range(len(params)):
            # 0 elsewhere: an open descriptor, so that what lies behind the first check is reached.
            yield [edge if at == position else 0 for at in range(len(params))]


@pytest.mark.parametrize("name", [name for name in STANDARD if name != "proc_exit"])
@pytest.mark.parametrize("fd", [0, 1, 3])
def test_any_argument_gets_an_errno(name: str, fd: int) -> None:
    """Whatever the arguments, a function answers with an errno and raises nothing."""
    for args in _argument_lists(STANDARD[name]):
        guest = MemoryGuest(body=b"body", args=["f"], env=["A=b"])
        if args and args[0] == 0:
            args[0] = fd

        errno = guest.call(name, *args)

        assert isinstance(errno, int), args
        assert 0 <= errno <= 76, args


@pytest.mark.parametrize("edge", OUTSIDE)
@pytest.mark.parametrize("case", POINTERS)
def test_pointer_outside_memory_is_efault(case: str, edge: str) -> None:
    """A pointer that does not lie wholly inside memory is EFAULT, and nothing is moved."""
    guest = MemoryGuest(body=b"body", args=["f"], env=["A=b"])
    name, args = POINTERS[case]
    # The vector, where there is one: 4 bytes at 16. As a subscription: a clock that is due.
    guest.put_u32(0, 16, 4)
    before = bytes(guest.memory)

    errno = guest.call(name, *[EDGES[edge] if arg is None else arg for arg in args])

    assert errno == EFAULT
    assert bytes(guest.memory) == before
    assert guest.stdout.collected() == b""


@pytest.mark.parametrize("case", POINTERS)
def test_without_a_memory_every_pointer_is_efault(case: str) -> None:
    """A module that exports no memory gets EFAULT for any pointer."""
    guest = MemoryGuest(args=["f"], env=["A=b"])
    guest.memory = bytearray()
    name, args = POINTERS[case]

    errno = guest.call(name, *[0 if arg is None else arg for arg in args])

    assert errno == EFAULT


@pytest.mark.parametrize("case", POINTERS)
def test_unaligned_pointer_is_taken(case: str) -> None:
    """Alignment is not asked for: a pointer of 3 works as one of 4 does."""
    guest = MemoryGuest(body=b"body", args=["f"], env=["A=b"])
    name, args = POINTERS[case]

    errno = guest.call(name, *[1027 if arg is None else arg for arg in args])

    assert errno == 0


@pytest.mark.parametrize("code", [0, 65, -1])
def test_proc_exit_ends_the_guest(code: int) -> None:
    """The guest ends with its exit code, unsigned."""
    with pytest.raises(GuestExit) as caught:
        MemoryGuest().call("proc_exit", code)

    assert caught.value.code == code % (1 << 32)


REFUSED = {
    "fd_advise": (ESPIPE, (0, 0, 0, 0)),
    "fd_allocate": (ESPIPE, (0, 0, 1)),
    "fd_datasync": (EINVAL, (1,)),
    "fd_filestat_set_size": (EINVAL, (1, 0)),
    "fd_pread": (ESPIPE, (0, 0, 1, 0, 8)),
    "fd_prestat_dir_name": (EBADF, (0, 0, 1)),
    "fd_prestat_get": (EBADF, (0, 0)),
    "fd_pwrite": (ESPIPE, (1, 0, 1, 0, 8)),
    "fd_readdir": (ENOTDIR, (0, 0, 1, 0, 8)),
    "fd_seek": (ESPIPE, (0, 0, 1, 8)),
    "fd_sync": (EINVAL, (1,)),
    "fd_tell": (ESPIPE, (0, 8)),
    "path_create_directory": (ENOTDIR, (0, 0, 1)),
    "path_filestat_get": (ENOTDIR, (0, 0, 0, 1, 8)),
    "path_filestat_set_times": (ENOTDIR, (0, 0, 0, 1, 0, 0, 0)),
    "path_link": (ENOTDIR, (0, 0, 0, 1, 0, 0, 1)),
    "path_open": (ENOTDIR, (0, 0, 0, 1, 0, 0, 0, 0, 8)),
    "path_readlink": (ENOTDIR, (0, 0, 1, 0, 1, 8)),
    "path_remove_directory": (ENOTDIR, (0, 0, 1)),
    "path_rename": (ENOTDIR, (0, 0, 1, 0, 0, 1)),
    "path_symlink": (ENOTDIR, (0, 1, 0, 0, 1)),
    "path_unlink_file": (ENOTDIR, (0, 0, 1)),
    "sock_accept": (ENOTSOCK, (0, 0, 8)),
    "sock_recv": (ENOTSOCK, (0, 0, 1, 0, 8, 12)),
    "sock_send": (ENOTSOCK, (1, 0, 1, 0, 8)),
    "sock_shutdown": (ENOTSOCK, (0, 1)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_stream_cannot_do_has_its_errno(name: str) -> None:
    """What needs a file, a directory or a socket has, on a stream, POSIX's errno for a pipe."""
    errno, args = REFUSED[name]

    assert MemoryGuest().call(name, *args) == errno


OPENED = {name: 2 if name == "path_symlink" else 0 for name in STANDARD if name[:3] in ("fd_", "pat", "soc")}


@pytest.mark.parametrize("name", OPENED)
@pytest.mark.parametrize("fd", [3, -1])
def test_descriptor_that_is_not_open_is_ebadf(name: str, fd: int) -> None:
    """Of a descriptor that is not open every function says so, whatever else is wrong."""
    args = [0] * len(STANDARD[name])
    args[OPENED[name]] = fd

    assert MemoryGuest().call(name, *args) == EBADF


@pytest.mark.parametrize(("name", "position"), [("path_link", 4), ("path_rename", 3)])
def test_second_directory_that_is_not_open_is_ebadf(name: str, position: int) -> None:
    """A function of two directories looks at both."""
    args = [0] * len(STANDARD[name])
    args[position] = 3

    assert MemoryGuest().call(name, *args) == EBADF


def test_nothing_is_open_before_an_invocation() -> None:
    """An instance that is made ahead has no streams: its start function can't read another's body."""
    context = WasiContext()
    context.memory = lambda: memoryview(bytearray(64))

    assert isinstance(context, Context)
    assert preview1.FUNCTIONS[preview1.MODULE, "fd_read"].call(context, 0, 0, 1, 16) == EBADF
