"""A guest that is nothing but memory: calls host functions as an engine would."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wasm_grpc.core.model import PAGE_BYTES
from wasm_grpc.engines.protocol import Value
from wasm_grpc.hosts.wasi import preview1
from wasm_grpc.hosts.wasi.context import WasiContext, encode_strings
from wasm_grpc.hosts.wasi.descriptors import Descriptor
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr

__all__ = ["MemoryGuest"]


class MemoryGuest:
    """One page of memory and a bound WASI context."""

    def __init__(
        self,
        *,
        body: bytes = b"",
        args: Sequence[str] = (),
        env: Sequence[str] = (),
        preopens: Iterable[Descriptor] = (),
    ) -> None:
        self.memory = bytearray(PAGE_BYTES)
        self.context = WasiContext()
        self.context.memory = lambda: memoryview(self.memory)
        self.stdout = CollectedStdout(None)
        self.stderr = Stderr(PAGE_BYTES)
        self.context.bind(
            args=encode_strings(args),
            env=encode_strings(env),
            stdin=BytesStdin(body),
            stdout=self.stdout,
            stderr=self.stderr,
            preopens=preopens,
        )

    def call(self, name: str, *args: int) -> Value | None:
        """Call the function; what it answers is its errno."""
        return preview1.FUNCTIONS[preview1.MODULE, name].call(self.context, *args)

    def put(self, at: int, content: bytes) -> None:
        """Write to memory."""
        self.memory[at : at + len(content)] = content

    def put_u32(self, at: int, *values: int) -> None:
        """Write 32-bit integers, one after the other."""
        self.put(at, b"".join(value.to_bytes(4, "little") for value in values))

    def take(self, at: int, length: int) -> bytes:
        """Read from memory."""
        return bytes(self.memory[at : at + length])

    def u32(self, at: int) -> int:
        """Read a 32-bit integer."""
        return int.from_bytes(self.take(at, 4), "little")

    def u64(self, at: int) -> int:
        """Read a 64-bit integer."""
        return int.from_bytes(self.take(at, 8), "little")
