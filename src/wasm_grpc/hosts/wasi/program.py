"""Arguments, environment, random bytes and exit of a program."""

from __future__ import annotations

import os
import struct
from typing import Final

from wasm_grpc.engines.protocol import FuncType, GuestExit, HostFunction
from wasm_grpc.hosts.wasi.abi import EFAULT, ENOSYS, SIZE, U32_MAX
from wasm_grpc.hosts.wasi.calls import Refusal, declare, region
from wasm_grpc.hosts.wasi.context import WasiContext

__all__ = ["FUNCTIONS"]


def _args_get(context: WasiContext, pointers_at: int, strings_at: int) -> None:
    _put_strings(context.memory(), context.args, pointers_at, strings_at)


def _args_sizes_get(context: WasiContext, count_at: int, size_at: int) -> None:
    _put_sizes(context.memory(), context.args, count_at, size_at)


def _environ_get(context: WasiContext, pointers_at: int, strings_at: int) -> None:
    _put_strings(context.memory(), context.env, pointers_at, strings_at)


def _environ_sizes_get(context: WasiContext, count_at: int, size_at: int) -> None:
    _put_sizes(context.memory(), context.env, count_at, size_at)


def _put_strings(memory: memoryview, strings: bytes, pointers_at: int, strings_at: int) -> None:
    # Both regions are checked before either is written.
    target = region(memory, strings_at, len(strings))
    pointers = []
    at = strings_at
    for string in strings.split(b"\0")[:-1]:
        pointers.append(at)
        at += len(string) + 1
    packed = struct.pack(f"<{len(pointers)}I", *pointers)
    region(memory, pointers_at, len(packed))[:] = packed
    target[:] = strings


def _put_sizes(memory: memoryview, strings: bytes, count_at: int, size_at: int) -> None:
    if size_at + SIZE.size > len(memory):
        raise Refusal(EFAULT)
    SIZE.pack_into(memory, count_at, strings.count(0))
    SIZE.pack_into(memory, size_at, len(strings))


def _random_get(context: WasiContext, at: int, length: int) -> None:
    target = region(context.memory(), at, length)
    target[:] = os.urandom(length)


def _proc_exit(context: WasiContext, code: int) -> None:
    raise GuestExit(code & U32_MAX)


def _proc_raise(context: WasiContext, signal: int) -> None:
    raise Refusal(ENOSYS)


def _sched_yield(context: WasiContext) -> None:
    """Do nothing: a worker runs nothing else."""


FUNCTIONS: Final = {
    "args_get": declare("ii", _args_get),
    "args_sizes_get": declare("ii", _args_sizes_get),
    "environ_get": declare("ii", _environ_get),
    "environ_sizes_get": declare("ii", _environ_sizes_get),
    "proc_exit": HostFunction(FuncType(("i32",)), _proc_exit),
    "proc_raise": declare("i", _proc_raise),
    "random_get": declare("ii", _random_get),
    "sched_yield": declare("", _sched_yield),
}
