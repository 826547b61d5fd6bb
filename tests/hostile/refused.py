"""Modules that never run: each is refused before, or compiled within the limits of compiling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import wasmtime

from unit.engines.binaries import limits, module, name, vector
from wasm_grpc.engines.binary.cursor import encode_u32
from wasm_grpc.hosts import registry
from wasm_grpc.hosts.wasi import unstable

__all__ = ["COMPILED", "REFUSED", "Bomb", "Refused"]

PLAIN = b"\x60\0\0"
MEMORY = limits(1)
END = b"\x0b"
MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A module that is refused, and the line that says why; one for each engine if they differ."""

    tries: str
    wasm: bytes
    said: str | Mapping[str, str]

    def line(self, engine: str) -> str:
        """Return what an engine's line says."""
        said = self.said if isinstance(self.said, str) else self.said[engine]
        return said.replace("{engine}", engine)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bomb:
    """A module that takes long or much memory to compile, or the compiler itself fails; who may refuse it, and why."""

    tries: str
    wasm: bytes
    said: Mapping[str, str] = field(default_factory=dict)


def text(body: str) -> bytes:
    """Return a module of the text format."""
    return bytes(wasmtime.wat2wasm(f"(module {body})"))


def program(
    *bodies: bytes, types: tuple[bytes, ...] = (PLAIN,), also: tuple[tuple[int, bytes], ...] = ()
) -> bytes:
    """Return a module whose functions have these bodies, locals first; the first is ``_start``."""
    exports = vector(name("_start") + b"\0\0", name("memory") + b"\x02\0")
    kinds = b"\0" + b"".join(encode_u32(min(place, len(types) - 1)) for place in range(1, len(bodies)))
    sections = {
        1: vector(*types),
        3: encode_u32(len(bodies)) + kinds,
        5: vector(MEMORY),
        7: exports,
        10: vector(*(encode_u32(len(body)) + body for body in bodies)),
        **dict(also),
    }
    return module(*sorted(sections.items()))


HOSTS = "expected functions of " + ", ".join(
    f"'{name}'" for name in sorted({name for name, _ in registry.FUNCTIONS} - {unstable.MODULE})
)
RUN = '(memory (export "memory") 1) (func (export "_start"))'
INVALID = (
    "module is not valid: failed to compile: wasm[0]::function[0]: WebAssembly translation error: "
    "Invalid input WebAssembly code"
)
WASI = '(import "wasi_snapshot_preview1"'

REFUSED: Mapping[str, Refused] = {
    "unknown-import": Refused(
        tries="imports a function that there is not",
        wasm=text(f'(import "env" "system" (func (param i32) (result i32))) {RUN}'),
        said=f"import env.system is an unknown function; {HOSTS}",
    ),
    "forged-line": Refused(
        tries="names an import with a line of the log and terminal escapes",
        wasm=text(f'(import "env" "a\\0aERROR forged\\1b[2J" (func)) {RUN}'),
        said=f"import env.a\\nERROR forged\\x1b[2J is an unknown function; {HOSTS}",
    ),
    "long-import": Refused(
        tries="names an import by 1 MiB",
        wasm=text(f'(import "env" "{"a" * (1 << 20)}" (func)) {RUN}'),
        said=f"import env.{'a' * 155}… is an unknown function; {HOSTS}",
    ),
    "wrong-signature": Refused(
        tries="imports a function of WASI with another type",
        wasm=text(f'{WASI} "fd_write" (func (param i64) (result i64))) {RUN}'),
        said="import wasi_snapshot_preview1.fd_write has type (i64) -> (i64); "
        "expected (i32, i32, i32, i32) -> (i32)",
    ),
    "imported-memory": Refused(
        tries="imports its memory from the host",
        wasm=text('(import "env" "memory" (memory 1)) (export "memory" (memory 0)) (func (export "_start"))'),
        said="import env.memory is a memory; expected a function",
    ),
    "imported-table": Refused(
        tries="imports a table from the host",
        wasm=text(f'(import "env" "table" (table 1 funcref)) {RUN}'),
        said="import env.table is a table; expected a function",
    ),
    "guest-functions": Refused(
        tries="imports what only waPC guests may",
        wasm=text(f'(import "wapc" "__guest_response" (func (param i32 i32))) {RUN}'),
        said="import wapc.__guest_response is an unknown function; did you mean 'wapc.__host_response'?",
    ),
    "start-with-result": Refused(
        tries="has a _start that takes and returns a number",
        wasm=text(
            '(memory (export "memory") 1) (func (export "_start") (param i32) (result i32) local.get 0)'
        ),
        said="export '_start' has type (i32) -> (i32); expected () -> ()",
    ),
    "memory-is-global": Refused(
        tries="exports a global in the place of its memory",
        wasm=text('(global (export "memory") i32 (i32.const 0)) (func (export "_start"))'),
        said="export 'memory' is a global; expected the module's memory",
    ),
    "huge-minimum": Refused(
        tries="starts with 4 GiB of memory",
        wasm=text('(memory (export "memory") 65536) (func (export "_start"))'),
        said="module starts with 4096 MiB of memory; expected at most 64 MiB (limits.memory)",
    ),
    "many-memories": Refused(
        tries="starts with 100 memories of 1 MiB",
        wasm=text(f"{RUN} {'(memory 16)' * 99}"),
        said="module starts with 101440 KiB of memory; expected at most 64 MiB (limits.memory)",
    ),
    "huge-table": Refused(
        tries="starts with a table of four billion elements",
        wasm=text(f"{RUN} (table 4294967295 funcref)"),
        said="module has tables of at least 4294967295 elements; expected at most 100000",
    ),
    "many-tables": Refused(
        tries="starts with 100 tables of 10,000 elements",
        wasm=text(f"{RUN} {'(table 10000 funcref)' * 100}"),
        said="module has tables of at least 1000000 elements; expected at most 100000",
    ),
    "shared-memory": Refused(
        tries="shares its memory between threads",
        wasm=text('(memory (export "memory") 1 2 shared) (func (export "_start"))'),
        said="{engine}: module has a shared memory (threads); "
        "expected a build without threads: no -pthread, target wasm32-wasip1",
    ),
    "long-memory": Refused(
        tries="has a memory with 64-bit addresses",
        wasm=text('(memory (export "memory") i64 1) (func (export "_start"))'),
        said="{engine}: module has a 64-bit memory; expected a 32-bit memory",
    ),
    "claims-a-billion": Refused(
        tries="claims a billion functions in eight bytes",
        wasm=module((1, vector(PLAIN)), (3, encode_u32(1_000_000_000))),
        said="module has 1000000000 functions; expected at most 1000000",
    ),
    "section-beyond": Refused(
        tries="has a section longer than the file",
        wasm=module((1, vector(PLAIN))) + b"\x0a\xff\xff\xff\xff\x0f",
        said="module is cut off or damaged at byte 20; expected a valid module",
    ),
    "many-locals": Refused(
        tries="declares four billion locals in seven bytes",
        wasm=program(b"\x01\xff\xff\xff\xff\x0f\x7f" + END),
        said={
            "wasmer": "module is not valid: Validation error: locals exceed maximum (at offset 51)",
            "wasmtime": f"{INVALID} at offset 52: too many locals: locals exceed maximum",
        },
    ),
    "body-beyond": Refused(
        tries="falls off the end of a function",
        wasm=program(b"\0\x41"),
        said={
            "wasmer": "module is not valid: Validation error: Unexpected EOF (at offset 52)",
            "wasmtime": f"{INVALID} at offset 53: unexpected end-of-file",
        },
    ),
    "reserved-export": Refused(
        tries="exports what its start function is called by",
        wasm=text(f'{RUN} (func (export "wasm-grpc:start"))'),
        said="module exports 'wasm-grpc:start', which is reserved; expected another name",
    ),
}

ADD = b"\x20\0\x41\x01\x6a\x21\0"  # local.get 0; i32.const 1; i32.add; local.set 0
COMPILED: Mapping[str, Bomb] = {
    "huge-function": Bomb(
        tries="has a function of 1,000,000 instructions",
        wasm=program(b"\x01\x01\x7f" + ADD * (MILLION // 4) + END),
    ),
    "many-locals": Bomb(
        tries="has a function of 50,000 locals", wasm=program(b"\x01" + encode_u32(50_000) + b"\x7e" + END)
    ),
    "deep-nesting": Bomb(
        tries="nests 100,000 blocks", wasm=program(b"\0" + b"\x02\x40" * 100_000 + END * 100_001)
    ),
    "deep-ifs": Bomb(
        tries="nests 20,000 conditions",
        wasm=program(b"\0" + b"\x41\0\x04\x40" * 20_000 + END * 20_001),
    ),
    "million-targets": Bomb(
        tries="jumps to a million targets",
        wasm=program(b"\0\x02\x40\x41\0\x0e" + encode_u32(MILLION) + b"\0" * (MILLION + 1) + END * 2),
        said={
            "wasmer": "module is not valid: Validation error: br_table size is out of bound (at offset 62)",
            "wasmtime": "wasmtime: module uses a feature that Wasmtime does not offer here: failed to compile: "
            "wasm[0]::function[0]: WebAssembly translation error: Unsupported feature: "
            "`br_table` has 1000000 targets, which exceeds the implementation limit of 65520",
        },
    ),
    "many-functions": Bomb(tries="has 100,000 functions", wasm=program(*(b"\0" + END,) * 100_000)),
    "many-calls": Bomb(
        tries="calls a function of 1,000 parameters 200 times",
        wasm=program(
            b"\0" + (b"\x42\0" * 1000 + b"\x10\x01") * 200 + END,
            b"\0" + END,
            types=(PLAIN, b"\x60" + vector(*(b"\x7e",) * 1000) + b"\0"),
        ),
        said={
            "wasmer": "wasmer: module makes Wasmer's compiler fail: "
            "trampoline compilation should not produce external symbol relocs; expected one that it can compile"
        },
    ),
    "many-segments": Bomb(
        tries="has 50,000 data segments",
        wasm=program(b"\0" + END, also=((11, vector(*(b"\0\x41\0\x0b\x01x",) * 50_000)),)),
    ),
    "long-names": Bomb(
        tries="has a custom section of 30 MiB",
        wasm=program(b"\0" + END) + b"\0" + encode_u32(30 << 20) + name("x") + bytes((30 << 20) - 2),
    ),
}
