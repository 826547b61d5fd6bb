"""A file's content as it is mapped into memory, to compare a guest's bytes with it."""

from __future__ import annotations

import ctypes
import mmap
import os

from wasm_grpc.core.faults import FatalFaults

__all__ = ["MappedFile"]

_MAP_FAILED = ctypes.c_void_p(-1).value


class MappedFile:
    """
    The content of a file, mapped for reading for as long as the process lives.

    Not with Python's `mmap`, which keeps a descriptor for each mapping: a worker may hold more models than
    it may open files. A file that is truncated afterwards ends the process that compares with it.
    """

    __slots__ = ("_address", "_compare", "_faults", "size_bytes")

    def __init__(self, handle: int, size_bytes: int) -> None:
        """
        Map an open file, which may be closed afterwards.

        Args:
            handle: Its descriptor.
            size_bytes: Its size, at least 1.

        Raises:
            OSError: It can't be mapped.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        address = libc.mmap(None, size_bytes, mmap.PROT_READ, mmap.MAP_SHARED, handle, 0)
        if address == _MAP_FAILED:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self._address = address
        self._compare = libc.memcmp
        self._compare.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
        self._faults = FatalFaults()
        self.size_bytes = size_bytes

    def equals(self, content: memoryview) -> bool:
        """
        Return whether these bytes are the file's. The view must be writable, as that of a guest's memory is.
        """
        if len(content) != self.size_bytes:
            return False
        address = ctypes.addressof(ctypes.c_ubyte.from_buffer(content))
        with self._faults:
            return bool(self._compare(address, self._address, self.size_bytes) == 0)
