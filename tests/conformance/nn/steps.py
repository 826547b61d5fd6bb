"""Guests that call wasi-nn one function after the other, written as calls, their errnos and what they leave."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wasm_grpc.core.model import Reason, TensorTypes
from wasm_grpc.hosts.nn import ephemeral

__all__ = ["CONTEXT", "GRAPH", "OUT", "WRITTEN", "Builder", "Case", "Cell", "Found", "Step", "Tensor"]

GRAPH, CONTEXT, WRITTEN, OUT = 64, 68, 72, 1024
"""Where these guests keep handles and sizes, and where outputs go: 1,024 bytes of them."""

_STATICS = 70_000
_WRONG = 200
"""Exit code of a guest that finds other bytes than it expects; a wrong errno is 100 + the errno."""


@dataclass(frozen=True)
class Cell:
    """The u32 that lies at an address when the call is made, and more."""

    at: int
    plus: int = 0


@dataclass(frozen=True)
class Tensor:
    """The address of a tensor's record; a field that is given stands in place of the true one."""

    shape: Sequence[int]
    type: int
    data: bytes
    padding: bytes = b"\0\0\0"
    dims_at: int | None = None
    rank: int | None = None
    data_at: int | None = None
    size: int | None = None


@dataclass(frozen=True)
class Builder:
    """The address of an array of one model's bytes."""

    model: bytes
    at: int | None = None


@dataclass(frozen=True)
class Found:
    """Bytes that must lie at an address."""

    at: int
    content: bytes


Argument = int | str | bytes | Cell | Tensor | Builder
Step = tuple[Argument, ...] | Found
"""An errno, a function's name and its arguments, of which a text stands for its address and length."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A guest, what it was granted, and how it ends."""

    steps: Sequence[Step]
    models: Mapping[str, str] = field(default_factory=dict)
    may_load: bool = False
    tensor_types: TensorTypes = TensorTypes.AUTO
    log: str = ""
    reason: Reason = Reason.OK
    message: str = ""

    def text(self) -> str:
        """Return the guest in the text format."""
        return _Module().text(self.steps)


class _Module:
    def __init__(self) -> None:
        self._statics = bytearray()

    def text(self, steps: Sequence[Step]) -> str:
        lines = "\n".join(self._step(step) for step in steps)
        imports = "\n".join(
            f'(import "{module}" "{name}" (func ${name} (param {" ".join(host.type.params)}) (result i32)))'
            for (module, name), host in ephemeral.FUNCTIONS.items()
        )
        data = "".join(f"\\{byte:02x}" for byte in self._statics)
        return f"""(module
          (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
          {imports}
          (memory (export "memory") 4)
          (data (i32.const {_STATICS}) "{data}")
          (func $check (param $found i32) (param $expected i32)
            (if (i32.ne (local.get $found) (local.get $expected))
              (then (call $proc_exit (i32.add (i32.const 100) (local.get $found))))))
          (func $same (param $at i32) (param $expected i32) (param $left i32)
            (loop $next
              (if (local.get $left) (then
                (if (i32.ne (i32.load8_u (local.get $at)) (i32.load8_u (local.get $expected)))
                  (then (call $proc_exit (i32.const {_WRONG}))))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (local.set $expected (i32.add (local.get $expected) (i32.const 1)))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                (br $next)))))
          (func (export "_start") {lines}))"""

    def _step(self, step: Step) -> str:
        if isinstance(step, Found):
            at = self._put(step.content)
            return f"(call $same (i32.const {step.at}) (i32.const {at}) (i32.const {len(step.content)}))"
        errno, name, *args = step
        operands = " ".join(operand for arg in args for operand in self._operands(arg))
        return f"(call $check (call ${name!s} {operands}) (i32.const {errno!r}))"

    def _operands(self, arg: Argument) -> list[str]:
        if isinstance(arg, Cell):
            return [f"(i32.add (i32.load (i32.const {arg.at})) (i32.const {arg.plus}))"]
        if isinstance(arg, int):
            return [f"(i32.const {arg})"]
        if isinstance(arg, Tensor):
            return [f"(i32.const {self._put(self._tensor(arg))})"]
        if isinstance(arg, Builder):
            at = self._put(arg.model) if arg.at is None else arg.at
            return [f"(i32.const {self._put(struct.pack('<II', at, len(arg.model)))})"]
        text = arg.encode() if isinstance(arg, str) else arg
        return [f"(i32.const {self._put(text)})", f"(i32.const {len(text)})"]

    def _tensor(self, tensor: Tensor) -> bytes:
        dims_at = self._put(struct.pack(f"<{len(tensor.shape)}I", *tensor.shape))
        data_at = self._put(tensor.data)
        return struct.pack(
            "<IIB3sII",
            dims_at if tensor.dims_at is None else tensor.dims_at,
            len(tensor.shape) if tensor.rank is None else tensor.rank,
            tensor.type,
            tensor.padding,
            data_at if tensor.data_at is None else tensor.data_at,
            len(tensor.data) if tensor.size is None else tensor.size,
        )

    def _put(self, content: bytes) -> int:
        self._statics += bytes(-len(self._statics) % 4)
        at = _STATICS + len(self._statics)
        self._statics += content
        return at
