"""
The system calls that a confined process may make, with what their arguments may be.

Sources: the kernel's ``arch/x86/entry/syscalls/syscall_64.tbl`` and ``include/uapi/asm-generic/unistd.h`` for
the numbers, ``include/uapi`` and the manual pages of the calls for the bits of arguments.

What is not in these tables does not exist for the process: it gets ``ENOSYS``, at which a C library falls
back on something older. Which calls are needed was found with strace, on both engines, and by the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["AARCH64", "X86_64", "Condition", "Machine", "Rule", "rules_for", "signal_rule"]


@dataclass(frozen=True, slots=True)
class Machine:
    """
    A processor architecture.

    Attributes:
        audit: Its ``AUDIT_ARCH_…`` (``include/uapi/linux/audit.h``).
        seccomp: The number of seccomp(2).
        column: Which number of a pair below is its own.
    """

    audit: int
    seccomp: int
    column: int


X86_64 = Machine(audit=0xC000003E, seccomp=317, column=0)
AARCH64 = Machine(audit=0xC00000B7, seccomp=277, column=1)


@dataclass(frozen=True, slots=True)
class Condition:
    """
    What half of an argument must be. The kernel reads no other bits of it, unless two conditions say so.

    Attributes:
        argument: Its position, from 0.
        mask: The bits that are compared.
        values: What these bits may be.
        is_high: Whether this is about the upper 32 bits.
    """

    argument: int
    mask: int
    values: tuple[int, ...]
    is_high: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """
    A call that is allowed.

    Attributes:
        number: Its number.
        conditions: All must hold; otherwise the call gets ``EPERM``.
    """

    number: int
    conditions: tuple[Condition, ...] = ()


_ALWAYS: dict[str, tuple[int | None, int | None]] = {
    # What it has open: its socket, its standard error, files that Landlock lets it open.
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "poll": (7, None),
    "lseek": (8, 62),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    "sendmsg": (46, 211),
    "getsockname": (51, 204),
    "getpeername": (52, 205),
    "getsockopt": (55, 209),
    "newfstatat": (262, 79),
    "ppoll": (271, 73),
    "statx": (332, 291),
    # Memory. RLIMIT_DATA and the server's watch bound it.
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "brk": (12, 214),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "membarrier": (324, 283),
    # Signals to itself, timers and clocks.
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "select": (23, None),
    "pselect6": (270, 72),
    "nanosleep": (35, 101),
    "getitimer": (36, 102),
    "setitimer": (38, 103),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    # What it is.
    "getpid": (39, 172),
    "uname": (63, 160),
    "getrlimit": (97, 163),
    "getrusage": (98, 165),
    "sysinfo": (99, 179),
    "getuid": (102, 174),
    "getgid": (104, 176),
    "geteuid": (107, 175),
    "getegid": (108, 177),
    "getppid": (110, 173),
    "gettid": (186, 178),
    "sched_getaffinity": (204, 123),
    "getcpu": (309, 168),
    "getrandom": (318, 278),
    # Threads that exist, and its end.
    "sched_yield": (24, 124),
    "exit": (60, 93),
    "futex": (202, 98),
    "set_tid_address": (218, 96),
    "exit_group": (231, 94),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
}
"""Calls with any arguments: their numbers on x86-64 and aarch64, ``None`` where there is no such call."""

_FORKING: dict[str, tuple[int | None, int | None]] = {
    "pipe": (22, None),
    "dup2": (33, None),
    "recvmsg": (47, 212),
    "fork": (57, None),
    "wait4": (61, 260),
    "capget": (125, 90),
    "capset": (126, 91),
    "dup3": (292, 24),
    "pipe2": (293, 59),
    "seccomp": (317, 277),
    # Wasmtime keeps the initial content of memories in such files, which what is forked shares.
    "memfd_create": (319, 279),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}
"""What a template needs besides, for itself and for confining what it forks."""

_OPEN, _OPENAT = (2, None), (257, 56)
_MMAP, _IOCTL, _CLONE, _FCNTL = (9, 222), (16, 29), (56, 220), (72, 25)
_PRCTL, _TGKILL, _PRLIMIT64 = (157, 167), (234, 131), (302, 261)

_ALL = 0xFFFF_FFFF
_O_WRITES = 0o3 | 0o100 | 0o1000 | 0o2000 | 0o10000000 | 0o20000000
"""``O_ACCMODE``, ``O_CREAT``, ``O_TRUNC``, ``O_APPEND``, ``O_PATH`` and the bit of ``O_TMPFILE``."""
_MAP_KIND = 0xF | 0x20 | 0x100 | 0x40000
"""``MAP_TYPE``, ``MAP_ANONYMOUS``, ``MAP_GROWSDOWN`` and ``MAP_HUGETLB``."""
_MAP_SHARED, _MAP_PRIVATE, _MAP_SHARED_VALIDATE, _MAP_ANONYMOUS = 0x1, 0x2, 0x3, 0x20
_MAPPINGS = (_MAP_PRIVATE | _MAP_ANONYMOUS, _MAP_PRIVATE, _MAP_SHARED, _MAP_SHARED_VALIDATE)
"""
Not shared and anonymous, nor huge pages, nor a stack that grows: neither ``RLIMIT_DATA`` nor the resident
memory counts the first two once they are not mapped, and the third grows without being counted.
"""
_CLONE_THREAD = 0x10000
_CLONE_NEW = 0x7E020000
"""The flags that make namespaces."""
_FCNTL_COMMANDS = (0, 1, 2, 3, 4, 1030, 1033, 1034)
"""``F_DUPFD``, ``F_…FD``, ``F_…FL``, ``F_DUPFD_CLOEXEC``, seals; not ``F_SETOWN``, which sends signals."""
_IOCTL_COMMANDS = (0x5401, 0x5421, 0x5450, 0x5451)
"""``TCGETS``, ``FIONBIO``, ``FIONCLEX``, ``FIOCLEX``; not ``FIOASYNC``, which goes with ``F_SETOWN``."""
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_NO_NEW_PRIVS = 1, 15, 38
_SIGABRT = 6


def rules_for(machine: Machine, *, forks: bool = False, has_threads: bool = False) -> list[Rule]:
    """
    Return the calls that a process may make, those with conditions first. `signal_rule` has one more.

    Args:
        machine: What it runs on.
        forks: It is a template.
        has_threads: It may start threads.
    """
    prctl = (_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_NO_NEW_PRIVS) if forks else (_PR_SET_NAME,)
    conditional: list[tuple[tuple[int | None, int | None], tuple[Condition, ...]]] = [
        (_MMAP, (Condition(3, _MAP_KIND, _MAPPINGS),)),
        (_OPEN, (Condition(1, _O_WRITES, (0,)),)),
        (_OPENAT, (Condition(2, _O_WRITES, (0,)),)),
        (_FCNTL, (Condition(1, _ALL, _FCNTL_COMMANDS),)),
        (_IOCTL, (Condition(1, _ALL, _IOCTL_COMMANDS),)),
        (_PRCTL, (Condition(0, _ALL, prctl),)),
        # Of itself, and only to read.
        (
            _PRLIMIT64,
            (Condition(0, _ALL, (0,)), Condition(2, _ALL, (0,)), Condition(2, _ALL, (0,), is_high=True)),
        ),
    ]
    if forks:
        conditional.append((_CLONE, (Condition(0, _CLONE_NEW, (0,)),)))
    elif has_threads:
        conditional.append((_CLONE, (Condition(0, _CLONE_NEW | _CLONE_THREAD, (_CLONE_THREAD,)),)))
    conditional += [(numbers, ()) for numbers in _ALWAYS.values()]
    conditional += [(numbers, ()) for numbers in _FORKING.values() if forks]
    numbered = [(numbers[machine.column], conditions) for numbers, conditions in conditional]
    return [Rule(number, conditions) for number, conditions in numbered if number is not None]


def signal_rule(machine: Machine, *, pid: int, forks: bool = False) -> Rule:
    """
    Return the rule for signals: a process may send them to itself, and what a template forks may abort.

    Args:
        machine: What it runs on.
        pid: Its process id.
        forks: It is a template. What it forks has another id.
    """
    condition = Condition(1, _ALL, (_SIGABRT,)) if forks else Condition(0, _ALL, (pid,))
    return Rule(_TGKILL[machine.column], (condition,))
