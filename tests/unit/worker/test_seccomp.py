"""The filter of system calls: its program, interpreted as the kernel would, and what it leaves of a process."""

from __future__ import annotations

import errno
import struct
import subprocess
import sys

import pytest

from wasm_grpc.worker.seccomp import build_filter, is_available, this_machine
from wasm_grpc.worker.syscalls import AARCH64, X86_64, Machine

PID = 4711
ALLOWED = "allowed"
RLIMIT_POINTER = 1 << 32
MACHINES = pytest.mark.parametrize("machine", [X86_64, AARCH64], ids=["x86-64", "aarch64"])
NUMBERS = {
    X86_64: {
        "read": 0,
        "open": 2,
        "mmap": 9,
        "ioctl": 16,
        "socket": 41,
        "clone": 56,
        "fork": 57,
        "execve": 59,
        "kill": 62,
        "fcntl": 72,
        "prctl": 157,
        "tgkill": 234,
        "openat": 257,
        "prlimit64": 302,
        "seccomp": 317,
        "memfd_create": 319,
        "io_uring_setup": 425,
        "clone3": 435,
    },
    AARCH64: {
        "read": 63,
        "mmap": 222,
        "ioctl": 29,
        "socket": 198,
        "clone": 220,
        "execve": 221,
        "kill": 129,
        "fcntl": 25,
        "prctl": 167,
        "tgkill": 131,
        "openat": 56,
        "prlimit64": 261,
        "seccomp": 277,
        "memfd_create": 279,
        "io_uring_setup": 425,
        "clone3": 435,
    },
}


def verdict(machine: Machine, number: int, *arguments: int, audit: int | None = None, **profile: bool) -> str:
    """Run the filter on one call, and return how it ends: "allowed", or the name of its error."""
    code = build_filter(machine, pid=PID, **profile)
    words = [argument & 0xFFFF_FFFF_FFFF_FFFF for argument in (*arguments, *[0] * (6 - len(arguments)))]
    data = struct.pack("<IIQ6Q", number, machine.audit if audit is None else audit, 0, *words)
    program = list(struct.iter_unpack("<HBBI", code))
    accumulator = at = 0
    while True:
        operation, if_equal, if_not, operand = program[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, operand)
        elif operation == 0x54:
            accumulator &= operand
        elif operation == 0x15:
            at += if_equal if accumulator == operand else if_not
        else:
            assert operation == 0x06
            return ALLOWED if operand == 0x7FFF_0000 else errno.errorcode[operand & 0xFFFF]


@MACHINES
@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("read", (0, 0, 0), ALLOWED),
        ("socket", (1, 1, 0), "ENOSYS"),
        ("execve", (), "ENOSYS"),
        ("kill", (PID, 9), "ENOSYS"),
        ("io_uring_setup", (), "ENOSYS"),
        ("memfd_create", (), "ENOSYS"),
        ("seccomp", (), "ENOSYS"),
        ("clone3", (), "ENOSYS"),
        # SIGCHLD alone, as fork has it; and CLONE_THREAD with what goes with it.
        ("clone", (17,), "ENOSYS"),
        ("clone", (0x3D0F00,), "ENOSYS"),
        ("openat", (-100, 0, 0o4000), ALLOWED),
        ("openat", (-100, 0, 1), "EPERM"),
        ("openat", (-100, 0, 0o100), "EPERM"),
        ("mmap", (0, 4096, 3, 0x22), ALLOWED),
        ("mmap", (0, 4096, 1, 0x01), ALLOWED),
        ("mmap", (0, 4096, 3, 0x21), "EPERM"),
        ("mmap", (0, 4096, 3, 0x122), "EPERM"),
        ("mmap", (0, 4096, 3, 0x40022), "EPERM"),
        # What the kernel ignores of an argument changes nothing.
        ("mmap", (0, 4096, 3, 1 << 40 | 0x22), ALLOWED),
        ("tgkill", (PID, 1, 6), ALLOWED),
        ("tgkill", (PID + 1, 1, 6), "EPERM"),
        ("prctl", (15,), ALLOWED),
        ("prctl", (4, 1), "EPERM"),
        ("fcntl", (0, 1030), ALLOWED),
        ("fcntl", (0, 8, PID + 1), "EPERM"),
        ("ioctl", (0, 0x5401), ALLOWED),
        ("ioctl", (0, 0x5412), "EPERM"),
        ("prlimit64", (0, 7, 0, RLIMIT_POINTER), ALLOWED),
        ("prlimit64", (PID + 1, 7, 0, RLIMIT_POINTER), "EPERM"),
        ("prlimit64", (0, 7, 4096, 0), "EPERM"),
        ("prlimit64", (0, 7, RLIMIT_POINTER, 0), "EPERM"),
    ],
)
def test_what_a_worker_may_call(
    machine: Machine, call: str, arguments: tuple[int, ...], expected: str
) -> None:
    """A call that isn't needed does not exist, and one that is needed is allowed for what it is needed for."""
    assert verdict(machine, NUMBERS[machine][call], *arguments) == expected


@MACHINES
@pytest.mark.parametrize(
    ("profile", "flags", "expected"),
    [
        ("has_threads", 0x3D0F00, ALLOWED),
        ("has_threads", 17, "EPERM"),
        ("has_threads", 0x1003D0F00 | 0x10000000, "EPERM"),
        ("forks", 17, ALLOWED),
        ("forks", 0x10000000 | 17, "EPERM"),
        ("forks", 0x20000 | 17, "EPERM"),
    ],
    ids=["a thread", "no process", "no user namespace", "a process", "no namespace", "no mount namespace"],
)
def test_threads_and_forks(machine: Machine, profile: str, flags: int, expected: str) -> None:
    """Only a process with threads makes threads, only a template forks, and neither makes a namespace."""
    assert verdict(machine, NUMBERS[machine]["clone"], flags, **{profile: True}) == expected


@pytest.mark.parametrize("call", ["fork", "memfd_create", "seccomp"])
def test_what_a_template_may_call(call: str) -> None:
    """A template forks, shares the initial content of memories, and confines what it forks."""
    assert verdict(X86_64, NUMBERS[X86_64][call], forks=True) == ALLOWED


@pytest.mark.parametrize(
    "number", [0x4000_0000, 0x4000_0000 | 59, 4096], ids=["x32 read", "x32 execve", "new"]
)
def test_calls_by_other_numbers(number: int) -> None:
    """The numbers of x32 programs, and those of later kernels, are not those of allowed calls."""
    assert verdict(X86_64, number) == "ENOSYS"


@pytest.mark.parametrize("audit", [0x4000_0003, AARCH64.audit], ids=["32-bit x86", "aarch64"])
def test_calls_of_another_architecture(audit: int) -> None:
    """Each number means something else on another architecture, so none of its calls is allowed."""
    assert verdict(X86_64, NUMBERS[X86_64]["read"], audit=audit) == "ENOSYS"


@pytest.mark.skipif(not is_available(), reason="this kernel, or this container, filters no system calls")
def test_the_kernel_takes_the_filter() -> None:
    """A process under the filter goes on, can't undo it, and ends by SIGABRT when it aborts."""
    assert this_machine() is not None
    code = """
import os, socket
from wasm_grpc.worker.confinement import confine
from wasm_grpc.worker.seccomp import filter_calls
confine()
filter_calls()
for attempt in (os.fork, socket.socketpair, filter_calls):
    try:
        attempt()
    except OSError as exc:
        print(exc.strerror)
os.abort()
"""

    ended = subprocess.run([sys.executable, "-uc", code], capture_output=True, timeout=20, check=False)

    assert ended.stdout == b"Function not implemented\n" * 3
    assert ended.returncode == -6, ended.stderr
