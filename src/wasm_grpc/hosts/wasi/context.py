"""The state that the WASI functions of one instance share."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from wasm_grpc.hosts.protocol import HostContext
from wasm_grpc.hosts.wasi.abi import EMFILE
from wasm_grpc.hosts.wasi.descriptors import Descriptor, InputStream, OutputStream
from wasm_grpc.hosts.wasi.refusal import Refusal
from wasm_grpc.hosts.wasi.streams import Sink, Stdin

__all__ = ["WasiContext", "encode_strings", "query_arguments"]

_FIRST_FILE = 3
_DESCRIPTORS_LIMIT = 1024
"""Limit on open descriptors, as usual for a Linux process. It bounds the memory they take."""


def encode_strings(strings: Sequence[str]) -> bytes:
    """
    Return the strings, each followed by NUL, in the layout of ``args_get`` and ``environ_get``.
    """
    return "".join([f"{string}\0" for string in strings]).encode("utf-8", "surrogateescape")


def query_arguments(env: bytes) -> bytes:
    """
    Return the parts of the query between "&", not decoded, each followed by NUL.

    Source: WAGI, whose modules get ``?a=1&b`` as the arguments "a=1" and "b".

    Args:
        env: ``NAME=value`` strings, each followed by NUL. The query is in ``QUERY_STRING``.
    """
    name = b"QUERY_STRING="
    query = next((each[len(name) :] for each in env.split(b"\0") if each.startswith(name)), b"")
    return query.replace(b"&", b"\0") + b"\0" if query else b""


class WasiContext(HostContext):
    """
    An instance's arguments, environment and open descriptors.

    All are empty before `bind`: an instance may be made before its invocation is known, and a stream bound
    too early could carry one invocation's bytes into the next.

    Attributes:
        args: The arguments, the program's name first, each followed by NUL.
        env: ``NAME=value`` strings, each followed by NUL.
        descriptors: Open descriptors, by number.
        cpu_zero_ns: CPU time of this thread when the invocation began. The guest's CPU clocks start
            from there, so that it learns nothing about earlier invocations.
    """

    __slots__ = ("args", "cpu_zero_ns", "descriptors", "env")

    def __init__(self) -> None:
        super().__init__()
        self.args = b""
        self.env = b""
        self.descriptors: dict[int, Descriptor] = {}
        self.cpu_zero_ns = time.thread_time_ns()

    def bind(
        self,
        *,
        args: bytes,
        env: bytes,
        stdin: Stdin,
        stdout: Sink,
        stderr: Sink,
        preopens: Iterable[Descriptor] = (),
    ) -> None:
        """
        Bind what an invocation brings.

        Args:
            args: See the attribute.
            env: See the attribute.
            stdin: Descriptor 0.
            stdout: Descriptor 1.
            stderr: Descriptor 2.
            preopens: Directories that are open from the start, as descriptors 3 and up.
        """
        self.args = args
        self.env = env
        self.descriptors = {0: InputStream(stdin), 1: OutputStream(stdout), 2: OutputStream(stderr)}
        self.cpu_zero_ns = time.thread_time_ns()
        for fd, preopen in enumerate(preopens, _FIRST_FILE):
            self.descriptors[fd] = preopen

    def end(self) -> None:
        """
        End an invocation: forget everything of it.

        Descriptors are dropped, not closed: to close one may send what a guest that failed left unsent.
        """
        super().end()
        self.args = self.env = b""
        self.descriptors = {}

    def free_number(self) -> int:
        """
        Return the number of the next descriptor: the lowest that is free, from 3 up.

        Raises:
            Refusal: EMFILE, too many are open.
        """
        if len(self.descriptors) >= _DESCRIPTORS_LIMIT:
            raise Refusal(EMFILE)
        # POSIX requires the lowest free number. 0 to 2 are never reused, even after `fd_close`.
        fd = _FIRST_FILE
        while fd in self.descriptors:
            fd += 1
        return fd

    def finish(self) -> None:
        """
        Finish what a guest that succeeded has left open; see `Descriptor.finish`.

        Raises:
            GuestStop: It can't be finished, so the guest has not succeeded after all.
        """
        for descriptor in list(self.descriptors.values()):
            descriptor.finish()
