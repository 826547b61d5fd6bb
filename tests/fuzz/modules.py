"""Checks of modules and of what a guest reads, in a worker's interpreter; see `reading`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wasm_grpc.core.errors import ModuleError
from wasm_grpc.core.model import MIB, GuestKind, Limits, Reason
from wasm_grpc.core.wire import Compile, Compiled, CompileRefused, Message
from wasm_grpc.engines.binary import read_module
from wasm_grpc.engines.binary.rewrite import defer_start
from wasm_grpc.engines.limits import write_limits
from wasm_grpc.engines.protocol import Engine
from wasm_grpc.guests.description import describe
from wasm_grpc.guests.protocol import GuestCall
from wasm_grpc.guests.registry import guest_for
from wasm_grpc.hosts.wasi.context import encode_strings
from wasm_grpc.hosts.wasi.streams import BytesStdin, CollectedStdout, Stderr
from wasm_grpc.worker.compiling import compile_one

__all__ = ["Compiler", "Pictures", "check_module"]

_MEMORY_BYTES = 8 * MIB
_KINDS = (GuestKind.WASI_COMMAND, GuestKind.WAPC)


def check_module(wasm: bytes) -> None:
    """Read a module, say what it is, check it as a guest, and write limits into it."""
    try:
        module = read_module(wasm)
        for kind in _KINDS:
            problems = guest_for(kind).check(module)
            _check_lines(problems)
        described = describe(module)
        _check_lines((*described.host_modules, *described.calls, described.problem))
        defer_start(wasm)
        limited = read_module(write_limits(wasm, memory_bytes=_MEMORY_BYTES, table_elements=1000))
    except ModuleError as error:
        _check_lines(str(error).split("\n"))
        return
    assert sum(memory.max_pages or 0 for memory in limited.memories) <= _MEMORY_BYTES >> 16
    assert sum(table.max_elements or 0 for table in limited.tables) <= 1000


def _check_lines(lines: Sequence[str]) -> None:
    assert all(map(str.isprintable, lines)), lines


class _Answers:
    """What takes the answer of a compile process."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        """Keep a message."""
        self.sent.append(message)


class Compiler:
    """Check what a compile process does with a module."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def check(self, wasm: bytes) -> None:
        """Compile a module: there is code, or each problem has one printable line."""
        answers = _Answers()
        task = Compile(
            guest=_KINDS[len(wasm) % 2],
            memory_bytes=_MEMORY_BYTES,
            code_memory_bytes=_MEMORY_BYTES,
            module=wasm,
        )
        compile_one(answers, self._engine, task)  # type: ignore[arg-type] # as much of a socket as it needs
        (answer,) = answers.sent
        if isinstance(answer, CompileRefused):
            assert answer.problems
            _check_lines(answer.problems)
        else:
            assert isinstance(answer, Compiled)


class Pictures:
    """Check what the picture crate, in the function grayscale, does with a file."""

    _LIMITS = Limits()

    def __init__(self, engine: Engine, module: Path) -> None:
        self._guest = guest_for(GuestKind.WASI_COMMAND)
        wasm = write_limits(module.read_bytes(), memory_bytes=self._LIMITS.memory_bytes)
        self._module = engine.load(engine.compile(wasm), self._guest.hosts)

    def check(self, file: bytes) -> None:
        """Read a picture: it becomes grey, or is refused; the guest neither traps nor runs out of memory."""
        stdout, stderr = CollectedStdout(self._LIMITS.output_bytes), Stderr(self._LIMITS.stderr_bytes)
        call = GuestCall(
            args=encode_strings(("grayscale",)),
            env=b"",
            stdin=BytesStdin(file),
            stdout=stdout,
            stderr=stderr,
            limits=self._LIMITS,
        )
        instance = self._guest.ready(self._module, self._LIMITS)
        outcome = instance.run(call).outcome
        instance.close()
        assert outcome.reason in {Reason.OK, Reason.REJECTED}, outcome
        assert outcome.reason is Reason.REJECTED or outcome.body
