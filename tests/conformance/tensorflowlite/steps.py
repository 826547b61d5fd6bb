"""Guests that call ``wasmedge_tensorflowlite`` one function after the other, by the names of either table."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from wasm_grpc.core.model import PAGE_BYTES, Reason
from wasm_grpc.hosts.tensorflowlite.abi import MODULE
from wasm_grpc.hosts.tensorflowlite.module import TensorflowLite

__all__ = [
    "LENGTH",
    "MEMORY_BYTES",
    "OUT",
    "SESSION",
    "TENSOR",
    "WRITTEN",
    "Append",
    "At",
    "Case",
    "Cell",
    "Create",
    "Data",
    "Delete",
    "Length",
    "Output",
    "Run",
    "Step",
    "Table",
]

SESSION, TENSOR, LENGTH, WRITTEN, OUT = 64, 80, 96, 104, 1024
"""Where these guests keep handles (64 bits each) and sizes, and where outputs go."""

MEMORY_BYTES = 8 * PAGE_BYTES
_STATICS = 70_000
_FIRST_EXIT_CODE = 10
"""Exit code of a guest whose first step found something else; the second step has the next one."""


class Table(enum.Enum):
    """A table of functions: since WasmEdge 0.13, or of 2021."""

    CURRENT = "current"
    FIRST = "first"


@dataclass(frozen=True)
class Cell:
    """The handle that lies at an address when the call is made, and more."""

    at: int
    plus: int = 0


@dataclass(frozen=True)
class At:
    """Bytes of the guest's memory, wherever they may be."""

    at: int
    length: int


Bytes = bytes | str | At
Handle = Cell | int


class Memory:
    """What a guest's memory holds at the start."""

    def __init__(self) -> None:
        self.content = bytearray()

    def put(self, content: bytes) -> int:
        """Add bytes, and return their address."""
        self.content += bytes(-len(self.content) % 4)
        at = _STATICS + len(self.content)
        self.content += content
        return at

    def region(self, content: Bytes) -> str:
        """Return the address and length of bytes as operands."""
        if isinstance(content, At):
            return f"(i32.const {content.at}) (i32.const {content.length})"
        content = content.encode() if isinstance(content, str) else content
        return f"(i32.const {self.put(content)}) (i32.const {len(content)})"

    def same(self, at: int, content: bytes) -> str:
        """Return the check that these bytes lie at an address."""
        return f"(call $same (i32.const {at}) (i32.const {self.put(content)}) (i32.const {len(content)}))"


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    """A call and what it must find: an errno, and what the host says of it."""

    errno: int = 0
    log: str = ""
    name = ""
    ends = False
    """Whether the function of 2021 ends a guest when it fails."""

    @abstractmethod
    def current(self, memory: Memory) -> str:
        """Return whether the function since 0.13 does what it must, as an expression."""

    @abstractmethod
    def first(self, memory: Memory) -> str:
        """Return whether the function of 2021 does what it must, as an expression."""

    def returns(self, *operands: str, then: str = "") -> str:
        """Return the check of a call's errno, and another if it is 0."""
        call = f"(i32.eq (call ${self.name} {' '.join(operands)}) (i32.const {self.errno}))"
        if not then or self.errno:
            return call
        return f"(if (result i32) {call} (then {then}) (else (i32.const 0)))"

    def keeps(self, place: int, *operands: str) -> str:
        """Return the check of a call of 2021 that returns a handle, which is kept."""
        is_zero = f"(i64.eqz (i64.load (i32.const {place})))"
        check = is_zero if self.errno else f"(i32.eqz {is_zero})"
        return _done(f"(i64.store (i32.const {place}) {self.called(*operands)})", check)

    def called(self, *operands: str) -> str:
        """Return the call of the function of 2021."""
        return f"(call $wasmedge_tensorflowlite_{self.name} {' '.join(operands)})"


@dataclass(frozen=True, kw_only=True)
class Create(Step):
    """Create a session."""

    model: Bytes
    place: int = SESSION
    name = "create_session"

    def current(self, memory: Memory) -> str:
        """See `Step.current`."""
        return self.returns(memory.region(self.model), f"(i32.const {self.place})")

    def first(self, memory: Memory) -> str:
        """See `Step.first`."""
        return self.keeps(self.place, memory.region(self.model))


@dataclass(frozen=True, kw_only=True)
class Delete(Step):
    """Delete a session."""

    session: Handle = Cell(SESSION)
    name = "delete_session"

    def current(self, memory: Memory) -> str:
        """See `Step.current`."""
        return self.returns(_i32(self.session))

    def first(self, memory: Memory) -> str:
        """See `Step.first`."""
        return _done(self.called(_i64(self.session)))


@dataclass(frozen=True, kw_only=True)
class Append(Step):
    """Set an input."""

    input: Bytes
    data: Bytes
    session: Handle = Cell(SESSION)
    name = "append_input"
    ends = True

    def current(self, memory: Memory) -> str:
        """See `Step.current`."""
        return self.returns(_i32(self.session), memory.region(self.input), memory.region(self.data))

    def first(self, memory: Memory) -> str:
        """See `Step.first`."""
        return _done(self.called(_i64(self.session), memory.region(self.input), memory.region(self.data)))


@dataclass(frozen=True, kw_only=True)
class Run(Step):
    """Run a session."""

    session: Handle = Cell(SESSION)
    name = "run_session"

    def current(self, memory: Memory) -> str:
        """See `Step.current`."""
        return self.returns(_i32(self.session))

    def first(self, memory: Memory) -> str:
        """See `Step.first`."""
        return f"(i32.eq {self.called(_i64(self.session))} (i32.const {int(self.errno != 0)}))"


@dataclass(frozen=True, kw_only=True)
class Output(Step):
    """Find an output."""

    output: Bytes
    session: Handle = Cell(SESSION)
    place: int = TENSOR
    name = "get_output_tensor"

    def current(self, memory: Memory) -> str:
        """See `Step.current`."""
        return self.returns(_i32(self.session), memory.region(self.output), f"(i32.const {self.place})")

    def first(self, memory: Memory) -> str:
        """See `Step.first`."""
        return self.keeps(self.place, _i64(self.session), memory.region(self.output))


@dataclass(frozen=True, kw_only=True)
class Length(Step):
    """Ask for a tensor's size."""

    found: int = 0
    tensor: Handle = Cell(TENSOR)
    session: Handle = Cell(SESSION)
    place: int = LENGTH
    name = "get_tensor_len"
    ends = True

    def current(self, memory: Memory) -> str:
        """See `Step.current`."""
        found = f"(i32.eq (i32.load (i32.const {self.place})) (i32.const {self.found}))"
        return self.returns(_i32(self.session), _i32(self.tensor), f"(i32.const {self.place})", then=found)

    def first(self, memory: Memory) -> str:
        """See `Step.first`."""
        return f"(i32.eq {self.called(_i64(self.tensor))} (i32.const {self.found}))"


@dataclass(frozen=True, kw_only=True)
class Data(Step):
    """Get a tensor's content."""

    found: bytes = b""
    room: int | None = None
    tensor: Handle = Cell(TENSOR)
    session: Handle = Cell(SESSION)
    place: int = OUT
    written: int = WRITTEN
    name = "get_tensor_data"
    ends = True

    def current(self, memory: Memory) -> str:
        """See `Step.current`."""
        room = len(self.found) if self.room is None else self.room
        places = [f"(i32.const {each})" for each in (self.place, room, self.written)]
        written = f"(i32.eq (i32.load (i32.const {self.written})) (i32.const {len(self.found)}))"
        found = f"(i32.and {memory.same(self.place, self.found)} {written})"
        return self.returns(_i32(self.session), _i32(self.tensor), *places, then=found)

    def first(self, memory: Memory) -> str:
        """See `Step.first`."""
        call = self.called(_i64(self.tensor), f"(i32.const {self.place})")
        return _done(call, memory.same(self.place, self.found))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A guest, what it was granted, and how it ends."""

    steps: Sequence[Step]
    models: Sequence[str] = ()
    may_load: bool = False
    tables: Sequence[Table] = tuple(Table)
    reason: Reason = Reason.OK
    message: str = ""

    def text(self, table: Table) -> str:
        """Return the guest in the text format."""
        memory = Memory()
        checks = [
            step.current(memory) if table is Table.CURRENT else step.first(memory) for step in self.steps
        ]
        return _module(checks, bytes(memory.content))

    def ending(self, table: Table) -> tuple[Reason, str, list[str]]:
        """Return the reason and message that the guest must end with, and the lines of its log."""
        lines: list[str] = []
        prefix = "wasmedge_tensorflowlite: " if table is Table.CURRENT else "wasmedge_tensorflowlite_"
        for step in self.steps:
            line = f"{prefix}{step.name}: {step.log}"
            if step.log and step.ends and table is Table.FIRST:
                return Reason.TRAPPED, line, lines
            lines += [line] if step.log else []
        return self.reason, self.message, lines


def _module(checks: Sequence[str], memory: bytes) -> str:
    steps = "\n".join(
        f"(call $expect {check} (i32.const {_FIRST_EXIT_CODE + number}))"
        for number, check in enumerate(checks)
    )
    imports = "\n".join(
        f'(import "{module}" "{name}" (func ${name} '
        f"(param {' '.join(host.type.params)}) (result {' '.join(host.type.results)})))"
        for (module, name), host in TensorflowLite.functions.items()
        if module == MODULE
    )
    data = "".join(f"\\{byte:02x}" for byte in memory)
    return f"""(module
      (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
      {imports}
      (memory (export "memory") {MEMORY_BYTES // PAGE_BYTES})
      (data (i32.const {_STATICS}) "{data}")
      (func $expect (param $found i32) (param $code i32)
        (if (i32.eqz (local.get $found)) (then (call $proc_exit (local.get $code)))))
      (func $same (param $at i32) (param $expected i32) (param $left i32) (result i32)
        (loop $next
          (if (local.get $left) (then
            (if (i32.ne (i32.load8_u (local.get $at)) (i32.load8_u (local.get $expected)))
              (then (return (i32.const 0))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $expected (i32.add (local.get $expected) (i32.const 1)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br $next))))
        (i32.const 1))
      (func (export "_start") {steps}))"""


def _done(call: str, check: str = "(i32.const 1)") -> str:
    return f"(block (result i32) {call} {check})"


def _i32(handle: Handle) -> str:
    if isinstance(handle, int):
        return f"(i32.const {handle})"
    return f"(i32.add (i32.load (i32.const {handle.at})) (i32.const {handle.plus}))"


def _i64(handle: Handle) -> str:
    if isinstance(handle, int):
        return f"(i64.const {handle})"
    return f"(i64.add (i64.load (i32.const {handle.at})) (i64.const {handle.plus}))"
