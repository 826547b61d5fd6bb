"""
Calls with wrong pointers, lengths and names: one guest for each function.

Each call has one wrong argument. A pointer or length that reaches beyond the memory gives EFAULT.
For one that is 0 or unaligned, any result is right, as long as the guest continues. Descriptors are
those of `file_cases`; the first one that is opened reads and writes /tmp/file.
"""

from __future__ import annotations

from collections.abc import Iterator

from conformance.wasi.cases import Case
from conformance.wasi.steps import RESULT, Step, calls
from wasm_grpc.hosts.wasi import abi

__all__ = ["HOSTILE_CASES"]

MODEL, TMP, FIRST = 3, 4, 5
READ_WRITE = abi.RIGHT_FD_READ | abi.RIGHT_FD_WRITE
MAKE_FILE: Step = (0, "path_open", TMP, 0, "file", abi.OFLAG_CREAT, READ_WRITE, 0, 0, RESULT)

END = 2 * 65_536
"""Size of the memory of these guests."""
OUTSIDE = (END, END + 1, (1 << 32) - 1)
INSIDE = (0, 4097)

AT, THERE, NAME = 4096, 8192, "file"

# The right arguments of every function, and which of them are pointers (p) or lengths (n).
POINTERS: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "args_get": ("pp", (AT, THERE)),
    "args_sizes_get": ("pp", (AT, THERE)),
    "clock_res_get": (".p", (1, AT)),
    "clock_time_get": ("..p", (1, 0, AT)),
    "environ_get": ("pp", (AT, THERE)),
    "environ_sizes_get": ("pp", (AT, THERE)),
    "fd_fdstat_get": (".p", (0, AT)),
    "fd_filestat_get": (".p", (FIRST, AT)),
    "fd_pread": (".pn.p", (FIRST, AT, 1, 0, RESULT)),
    "fd_prestat_dir_name": (".pn", (MODEL, AT, 6)),
    "fd_prestat_get": (".p", (MODEL, AT)),
    "fd_pwrite": (".pn.p", (FIRST, AT, 1, 0, RESULT)),
    "fd_read": (".pnp", (0, AT, 1, RESULT)),
    "fd_readdir": (".pn.p", (MODEL, AT, 100, 0, RESULT)),
    "fd_seek": ("...p", (FIRST, 0, abi.WHENCE_SET, RESULT)),
    "fd_tell": (".p", (FIRST, RESULT)),
    "fd_write": (".pnp", (1, AT, 1, RESULT)),
    "path_create_directory": (".pn", (TMP, "folder")),
    "path_filestat_get": ("..pnp", (TMP, 0, NAME, AT)),
    "path_filestat_set_times": ("..pn...", (TMP, 0, NAME, 0, 0, 0)),
    "path_link": ("..pn.pn", (TMP, 0, NAME, TMP, "new")),
    "path_open": ("..pn....p", (TMP, 0, NAME, 0, 0, 0, 0, RESULT)),
    "path_readlink": (".pnpnp", (MODEL, "up", AT, 100, RESULT)),
    "path_remove_directory": (".pn", (TMP, "folder")),
    "path_rename": (".pn.pn", (TMP, NAME, TMP, "new")),
    "path_symlink": ("pn.pn", (NAME, TMP, "new")),
    "path_unlink_file": (".pn", (TMP, NAME)),
    "poll_oneoff": ("ppnp", (AT, THERE, 1, RESULT)),
    "random_get": ("pn", (AT, 8)),
    "sock_accept": ("..p", (1, 0, AT)),
    "sock_recv": (".pn.pp", (1, AT, 1, 0, THERE, RESULT)),
    "sock_send": (".pn.p", (1, AT, 1, 0, RESULT)),
}

# Errors that are found before the memory is read.
OTHERWISE = {
    ("poll_oneoff", "n"): abi.EINVAL,
    **{(name, kind): abi.ENOTSOCK for name in ("sock_accept", "sock_recv", "sock_send") for kind in "pn"},
}

LONGEST = "d/" * 2047 + "ee"
"""A path of 4,096 bytes, which is the limit, through 2,048 folders that don't exist."""

WRONG_NAMES: dict[str, tuple[bytes, int]] = {
    "4096-bytes": (LONGEST.encode(), abi.ENOENT),
    "4097-bytes": (LONGEST.encode() + b"e", abi.ENAMETOOLONG),
    "one-of-4096": (b"n" * 4096, abi.ENAMETOOLONG),
    "nul": (b"fi\0le", abi.EINVAL),
    "only-nul": (b"\0", abi.EINVAL),
    "not-utf-8": (b"fi\xffle", abi.EILSEQ),
    "half-a-character": (b"fil\xc3", abi.EILSEQ),
    "surrogate": (b"\xed\xa0\x80", abi.EILSEQ),
}

# The arguments of every function that takes a name; None is the place of the name.
NAMED: dict[str, tuple[int | str | None, ...]] = {
    "path_create_directory": (TMP, None),
    "path_filestat_get": (TMP, 0, None, AT),
    "path_filestat_set_times": (TMP, 0, None, 0, 0, 0),
    "path_link": (TMP, 0, None, TMP, "new"),
    "path_open": (TMP, 0, None, 0, 0, 0, 0, RESULT),
    "path_readlink": (TMP, None, AT, 100, RESULT),
    "path_remove_directory": (TMP, None),
    "path_rename": (TMP, None, TMP, "new"),
    "path_symlink": (NAME, TMP, None),
    "path_unlink_file": (TMP, None),
}
NAMED_SECOND: dict[str, tuple[int | str | None, ...]] = {
    "path_link": (TMP, 0, NAME, TMP, None),
    "path_rename": (TMP, NAME, TMP, None),
}


def _sweep(name: str, kinds: str, args: tuple[int | str, ...]) -> Iterator[Step]:
    """Yield calls with each wrong value in place of each pointer and length."""
    places = list(_flat(args))
    for place, kind in enumerate(kinds):
        if kind == ".":
            continue
        for value in OUTSIDE:
            expected = OTHERWISE.get((name, kind), abi.EFAULT)
            yield (expected, name, *places[:place], value, *places[place + 1 :])
        for value in INSIDE:
            yield (None, name, *places[:place], value, *places[place + 1 :])


def _flat(args: tuple[int | str, ...]) -> Iterator[int]:
    for arg in args:
        if isinstance(arg, str):
            yield from (TEXTS[arg], len(arg))
        else:
            yield arg


# Placed where no call writes, not even one with an argument that is 0 or unaligned.
TEXTS = {text: 100_000 + 16 * place for place, text in enumerate(["file", "folder", "new", "up"])}
SEGMENTS = "".join(f'(data (i32.const {at}) "{text}")' for text, at in TEXTS.items())


def _pointer_case(name: str) -> Case:
    kinds, args = POINTERS[name]
    return calls(MAKE_FILE, *_sweep(name, kinds, args), env=("A=1",), also=SEGMENTS)


def _name_case(text: bytes, errno: int) -> Case:
    steps: list[Step] = [MAKE_FILE]
    for table in (NAMED, NAMED_SECOND):
        for name, args in table.items():
            steps.append((errno, name, *(text if arg is None else arg for arg in args)))
    return calls(*steps)


HOSTILE_CASES: dict[str, Case] = {
    **{f"pointers-{name}": _pointer_case(name) for name in POINTERS},
    **{f"name-{name}": _name_case(text, errno) for name, (text, errno) in WRONG_NAMES.items()},
}
