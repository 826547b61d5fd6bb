"""
Use Linux's seccomp to leave this process no other system calls than those it needs, for good.

Source: the kernel's ``Documentation/userspace-api/seccomp_filter.rst``, and ``filter.h`` and ``seccomp.h`` of
``include/uapi/linux``.
The filter is a program for the kernel's classic BPF machine. It is built here from `syscalls`, without a
library, so that a test can interpret it.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
import struct
import sys

from wasm_grpc.core.libc import call_system
from wasm_grpc.worker.syscalls import AARCH64, X86_64, Condition, Machine, Rule, rules_for, signal_rule

__all__ = ["build_filter", "filter_calls", "is_available", "this_machine"]

_SET_MODE_FILTER = 1
_GET_ACTION_AVAIL = 2
_SPEC_ALLOW = 1 << 2
"""
Without this flag, kernels before 5.16 turn off the processor's speculation for the whole process, which costs
a guest up to a third of its speed. Side channels are out of scope (see SECURITY.md), and engines guard the
bounds of memories against speculation themselves.
"""
_RET_ALLOW = 0x7FFF_0000
_RET_ERRNO = 0x0005_0000

_INSTRUCTION = struct.Struct("<HBBI")
"""``struct sock_filter``: code, jump if true, jump if false, operand."""
_LOAD = 0x20
"""``BPF_LD | BPF_W | BPF_ABS``."""
_AND = 0x54
"""``BPF_ALU | BPF_AND | BPF_K``."""
_JUMP_IF_EQUAL = 0x15
"""``BPF_JMP | BPF_JEQ | BPF_K``."""
_RETURN = 0x06
"""``BPF_RET | BPF_K``."""
_NUMBER_AT, _MACHINE_AT, _ARGUMENTS_AT = 0, 4, 16
"""Offsets in ``struct seccomp_data``."""


def filter_calls(*, forks: bool = False, has_threads: bool = False) -> None:
    """
    Restrict this process, and whatever it forks, to the calls of `rules_for`.

    Call it while the process has one thread.

    Raises:
        OSError: The kernel refuses.
    """
    machine = this_machine()
    if machine is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if forks:
        _begin(machine, forks=False, has_threads=has_threads)
    code = build_filter(machine, pid=os.getpid(), forks=forks, has_threads=has_threads)
    program = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog
    head = struct.pack("@HP", len(code) // _INSTRUCTION.size, ctypes.addressof(program))
    call_system(machine.seccomp, _SET_MODE_FILTER, _SPEC_ALLOW, head)


def is_available() -> bool:
    """
    Return whether the kernel filters calls, on a machine for which there is a filter.
    """
    machine = this_machine()
    if machine is None:
        return False
    try:
        call_system(machine.seccomp, _GET_ACTION_AVAIL, 0, struct.pack("=I", _RET_ERRNO))
    except OSError:
        return False
    return True


def this_machine() -> Machine | None:
    """
    Return the machine that this process runs on, if a filter is known for it.
    """
    if sys.platform != "linux" or struct.calcsize("P") != 8:
        return None
    return {"x86_64": X86_64, "aarch64": AARCH64}.get(platform.machine())


def build_filter(machine: Machine, *, pid: int, forks: bool = False, has_threads: bool = False) -> bytes:
    """
    Return the program of a filter: an array of ``struct sock_filter``.

    A call that no rule names fails with ENOSYS, as does each call of another architecture, and one whose
    conditions do not hold with EPERM.

    Args:
        machine: What the process runs on.
        pid: Its process id.
        forks: See `rules_for`.
        has_threads: See `rules_for`.
    """
    last = _allow(signal_rule(machine, pid=pid, forks=forks)) + _return_error(errno.ENOSYS)
    return _begin(machine, forks=forks, has_threads=has_threads) + last


# Kept, since a template builds it once for all that it forks.
@functools.cache
def _begin(machine: Machine, *, forks: bool, has_threads: bool) -> bytes:
    code = [_load(_MACHINE_AT), _jump(machine.audit, 1, 0), _return_error(errno.ENOSYS), _load(_NUMBER_AT)]
    rules = rules_for(machine, forks=forks, has_threads=has_threads)
    return b"".join([*code, *map(_allow, rules)])


def _allow(rule: Rule) -> bytes:
    """
    Return the instructions that allow a call, and go on after themselves at any other.
    """
    block = [each for condition in rule.conditions for each in _check(condition)]
    block.append(_instruction(_RETURN, _RET_ALLOW))
    return b"".join([_jump(rule.number, 0, len(block)), *block])


def _check(condition: Condition) -> list[bytes]:
    """
    Return the instructions that go on after themselves if a condition holds, and else return EPERM.
    """
    at = _ARGUMENTS_AT + 8 * condition.argument + 4 * condition.is_high
    count = len(condition.values)
    jumps = [_jump(value, count - index, 0) for index, value in enumerate(condition.values)]
    return [_load(at), _instruction(_AND, condition.mask), *jumps, _return_error(errno.EPERM)]


def _load(at: int) -> bytes:
    return _instruction(_LOAD, at)


def _jump(value: int, if_equal: int, if_not: int) -> bytes:
    return _INSTRUCTION.pack(_JUMP_IF_EQUAL, if_equal, if_not, value)


def _return_error(number: int) -> bytes:
    return _instruction(_RETURN, _RET_ERRNO | number)


def _instruction(code: int, operand: int) -> bytes:
    return _INSTRUCTION.pack(code, 0, 0, operand)
