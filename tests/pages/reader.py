"""A person who does what a page says, in a folder that the page begins in."""

from __future__ import annotations

import os
import re
import signal
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from pages.machine import Machine
from pages.page import Command, File
from rig import Child, child

__all__ = ["Ended", "Reader"]

END_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class _Lasting:
    """A command that runs until it is ended: which, in which terminal, and what it prints once it is ready."""

    command: str
    terminal: str
    ready: tuple[str, ...]
    codes: tuple[int, ...] = (0,)  # after a Ctrl-C


_INTERRUPTED = (-signal.SIGINT, 0, 2, 130)
"""Exit codes after Ctrl-C where the command is a shell's or make's, and not ours."""

_SERVED = "serving 127.0.0.1:50051 "
LASTING = (
    _Lasting(
        r"dapr run -f ",
        "server",
        ("page http", _SERVED, "serving 127.0.0.1:50052 ", "serving 127.0.0.1:50053 "),
    ),
    _Lasting(r"dapr run ", "server", (_SERVED, "App entered healthy status", "up and running")),
    _Lasting(r"make demo$", "server", ("^page ",), codes=_INTERRUPTED),
    _Lasting(r"wasm-grpc serve ", "server", (_SERVED,)),
    _Lasting(r"redis-server ", "redis", ("Ready to accept connections",)),
    _Lasting(r"postgres ", "postgres", ("database system is ready to accept connections",)),
    _Lasting(r"tail -f ", "", (".",), codes=_INTERRUPTED),
)
"""A terminal has one at a time, as a person's has; what has none of its own is ended once it is ready."""


@dataclass(frozen=True)
class Ended:
    """What a command left behind: its exit code, and all that the terminal shows."""

    code: int
    shown: tuple[str, ...]


@dataclass
class Reader:
    """Does one step after the other; folder, environment and exit code go from one command to the next."""

    machine: Machine
    state: Path  # a folder for it
    cwd: Path
    env: dict[str, str]
    _last_code: int = 0
    _terminals: dict[str, tuple[_Lasting, Child, AsyncExitStack]] = field(default_factory=dict)

    async def write(self, file: File) -> None:
        """Write a file below the folder that the reader is in."""
        script = 'mkdir -p "$(dirname "$FILE")" && printf %s "$TEXT" >"$FILE"'
        ended = await self._run(script, FILE=file.path, TEXT=file.text, timeout_s=10)
        assert ended.code == 0, ended

    async def type(self, command: Command, *, timeout_s: float) -> Ended:
        """Run a command to its end, or until it is ready where it is one that lasts."""
        text = command.text
        if command.language == "python":
            text = f"python - <<'END'\n{text}END"
        lasting = next((each for each in LASTING if re.match(each.command, text)), None)
        if lasting:
            return await self._start(lasting, text, timeout_s=timeout_s)
        ended = await self._run(text, timeout_s=timeout_s)
        self._last_code = ended.code
        return ended

    async def leave(self) -> None:
        """End what lasts."""
        for terminal in list(self._terminals):
            await self._end(terminal)

    async def _run(self, text: str, *, timeout_s: float, **env: str) -> Ended:
        folder, variables = self.state / "cwd", self.state / "env"
        keep = f"code=$?; pwd >'{folder}'; env -0 >'{variables}'; exit $code"
        script = f"exec 2>&1\n(exit {self._last_code})\n{text}\n{keep}"
        async with self._bash(script, env) as running:
            code = await running.wait(timeout_s=timeout_s)
        self.cwd = Path(folder.read_text().removesuffix("\n"))
        if not env:
            pairs = variables.read_text().split("\0")
            self.env = dict(pair.split("=", 1) for pair in pairs if pair)
        return Ended(code, tuple(running.stdout.lines))

    async def _start(self, lasting: _Lasting, text: str, *, timeout_s: float) -> Ended:
        if lasting.terminal in self._terminals:
            await self._end(lasting.terminal)
        context = AsyncExitStack()
        running = await context.enter_async_context(self._bash(f"exec 2>&1\nset -m\n{text}\nexit $?", {}))
        self._terminals[lasting.terminal] = lasting, running, context
        for line in lasting.ready:
            await running.line(line, timeout_s=timeout_s)
        if not lasting.terminal:
            await self._end("")
        return Ended(0, tuple(running.stdout.lines))

    async def _end(self, terminal: str) -> None:
        """Press Ctrl-C in a terminal: the group of its shell's running job is interrupted."""
        lasting, running, context = self._terminals.pop(terminal)
        async with context:
            for shell in _children(running.pid):
                for job in _children(shell)[:1]:
                    os.killpg(os.getpgid(job), signal.SIGINT)
            code = await running.wait(timeout_s=END_TIMEOUT_S)
        assert code in lasting.codes, running.failed(f"exit code {code} after Ctrl-C")

    def _bash(self, script: str, env: dict[str, str]) -> AbstractAsyncContextManager[Child]:
        """Run a script on the machine, where the reader is."""
        there = ["env", "--chdir", str(self.cwd), "bash", "-c", script]
        return child(*self.machine.entry, *there, env={**self.env, **env})


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return []
