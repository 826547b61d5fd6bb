"""``wasm-grpc completion``: print a script for completion in a shell."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from wasm_grpc.cli.commands import COMMANDS, parser_of

__all__ = ["PARSER", "add_arguments", "execute"]

_SHELLS = ("bash", "zsh", "fish")
_FILES = ("FILE", "PATH")

PARSER: Mapping[str, Any] = {
    "description": "Print a script that completes commands, flags, their values and files in a shell.",
    "epilog": "example: wasm-grpc completion bash > ~/.local/share/bash-completion/completions/wasm-grpc\n"
    'zsh:  wasm-grpc completion zsh > "${fpath[1]}/_wasm-grpc"\n'
    "fish: wasm-grpc completion fish > ~/.config/fish/completions/wasm-grpc.fish\n\n"
    "The script is complete: the Tab key runs no wasm-grpc command. Regenerate it after an update.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the command's arguments.
    """
    parser.add_argument("shell", choices=_SHELLS, help="shell that runs the script")


def execute(options: argparse.Namespace, stdout: TextIO, stderr: TextIO) -> int:
    """
    Print the script.
    """
    import shtab

    parser = parser_of(*COMMANDS)
    for action in _actions(parser):
        if action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks for it
        elif action.metavar == "DIR":
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    print(shtab.complete(parser, options.shell), file=stdout)
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way, and shtab uses this one too
        yield action
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for known in action.choices.values():
                yield from _actions(known)
