"""What a page tells its reader to write and to type, in the page's order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Command", "File", "Page", "read_page"]

PROGRAMS = frozenset({
    ".", "apt-get", "cargo", "cat", "cd", "clang", "cp", "curl", "dapr", "go", "grpcurl", "initdb", "kubectl", "make", "mkdir",
    "npm", "npx", "pip", "postgres", "python", "redis-server", "rustc", "rustup", "tests/daprd/build", "wasm-grpc",
})  # fmt: skip
"""What the first word of a command is where it stands in a sentence."""

_FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"^`(?P<path>[\w./-]+\.\w+)`.*:$")
_HEADING = re.compile(r"^##+ (?P<text>.*)$")
_SPAN = re.compile(r"(?<!`)`(?P<text>[^`\n]+)`(?!`)")
_COMMENT = re.compile(r"(^|\s+)# .*$")


@dataclass(frozen=True)
class File:
    """A file that the page shows whole, named in the line above it."""

    line: int
    section: str
    path: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command; `output` is what the page shows below it, None where it shows nothing."""

    line: int
    section: str
    text: str
    output: tuple[str, ...] | None = None
    language: str = "sh"


@dataclass(frozen=True)
class Page:
    """A page's files and commands."""

    name: str
    steps: tuple[File | Command, ...]

    @property
    def commands(self) -> list[Command]:
        """The commands alone."""
        return [step for step in self.steps if isinstance(step, Command)]


def read_page(path: Path) -> Page:
    """
    Read a page.

    Commands are those of its blocks of kind `sh`, `console` (after `$`) and `python` (a block is one program),
    and those in sentences: a code span of a program and at least two words after it, or of `make` and a job.
    A shorter one, such as `dapr run`, is a command's name. A block of kind `json` or `text` right below one of
    kind `sh` shows the output of its last command.
    """
    text = path.read_text("utf-8")
    steps: list[File | Command] = []
    start, section, last_kind = 0, "", ""
    for fence in _FENCE.finditer(text):
        prose = text[start : fence.start()]
        spans, section = _of_prose(prose, line=_line(text, start), section=section)
        steps += spans
        line, kind, block = _line(text, fence.start()) + 1, fence["kind"], fence["text"]
        named = _PATH.match(prose.rstrip().rpartition("\n")[2])
        if named:
            steps.append(File(line, section, named["path"], block))
        elif kind == "sh":
            steps += (Command(at, section, command) for at, command in _commands(block, line))
        elif kind == "console":
            steps += _session(block, line, section)
        elif kind == "python":
            steps.append(Command(line, section, block, language="python"))
        elif kind in {"json", "text"} and last_kind == "sh" and not prose.strip():
            said = steps.pop()
            assert isinstance(said, Command)
            steps.append(Command(said.line, section, said.text, tuple(block.splitlines())))
        start, last_kind = fence.end(), kind
    spans, _ = _of_prose(text[start:], line=_line(text, start), section=section)
    return Page(path.name, (*steps, *spans))


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _of_prose(prose: str, *, line: int, section: str) -> tuple[list[Command], str]:
    """Return the commands of some sentences, and the section in which they end."""
    found = []
    for at, sentence in enumerate(prose.split("\n"), start=line):
        if heading := _HEADING.match(sentence):
            section = heading["text"]
        for span in _SPAN.finditer(sentence):
            words = span["text"].split()
            if words[0] in PROGRAMS and (len(words) > 2 or (words[0] == "make" and len(words) == 2)):
                found.append(Command(at, section, span["text"]))
    return found, section


def _commands(block: str, line: int) -> Iterator[tuple[int, str]]:
    """
    Yield each command of a block, without its comment.

    It goes on below a line that ends in a backslash or `|`, and has its here-document, which ends with `END`.
    """
    begun: list[str] = []
    for at, text in enumerate(block.splitlines(), start=line):
        is_document = any(each.endswith("<<'END'") for each in begun)
        begun.append(text if is_document else _COMMENT.sub("", text))
        if begun[-1].endswith(("\\", "|", "<<'END'")) or (is_document and text != "END"):
            continue
        if command := "\n".join(begun).strip():
            yield at - len(begun) + 1, command
        begun = []


def _session(block: str, line: int, section: str) -> Iterator[Command]:
    """Yield each command of a session, with its output."""
    for part in re.finditer(r"^\$ (?P<command>.*)\n(?P<output>(?:(?!\$ ).*\n)*)", block, re.MULTILINE):
        at = line + _line(block, part.start()) - 1
        yield Command(at, section, part["command"], tuple(part["output"].splitlines()))
