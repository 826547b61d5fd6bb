"""The command line: argv in, one command's exit code out, every error one line."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn, TextIO

from wasm_grpc import __version__
from wasm_grpc.cli.commands import COMMANDS, module_of, parser_of
from wasm_grpc.core.errors import ConfigError, ManifestError, WasmGrpcError

__all__ = ["main", "main_and_exit"]

_LATER = {
    "bench": "a load test with a table and a plot",
    "new": "start a function from a template",
    "build": "build a function",
    "up": "build, watch and reload",
}
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
_EXIT_CODES = {"run": (125, 125)}
"""Of a command that failed, and of a wrong flag, where those are not 1 and 2: they may be the guest's."""


def main(argv: Sequence[str], stdout: TextIO, stderr: TextIO) -> int:
    """
    Run one command; returns the exit code.

    0 it went well; 1 it failed; 2 a flag, a manifest or a setting is wrong. `run` has codes of its own.
    """
    if argv and argv[0] in _LATER:
        print(
            f"wasm-grpc {argv[0]}: not there yet in version {__version__}; see `wasm-grpc --help`",
            file=stderr,
        )
        return EXIT_USAGE
    command = argv[0] if argv and argv[0] in COMMANDS else ""
    # The others' libraries would cost start-up time.
    parser = parser_of(*filter(None, [command]))
    try:
        options = parser.parse_args(list(argv))
    except SystemExit:
        # It has printed the help, or the version.
        return 0
    except ConfigError as exc:
        print(f"wasm-grpc {command}: {exc}" if command else f"wasm-grpc: {exc}", file=stderr)
        return _exit_codes(command)[1]
    if not command:
        parser.print_help(stdout)
        return 0 if not argv else EXIT_USAGE
    return _execute(module_of(command), command, options, stdout, stderr)


def main_and_exit() -> NoReturn:
    """
    Run the command of this process and end it.
    """
    # gRPC's own log lines repeat, less clearly, what our errors say.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    sys.exit(main(sys.argv[1:], sys.stdout, sys.stderr))


def _execute(
    module: ModuleType, command: str, options: argparse.Namespace, stdout: TextIO, stderr: TextIO
) -> int:
    try:
        return int(module.execute(options, stdout, stderr))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell.
        return EXIT_FAILED
    except WasmGrpcError as exc:
        # A manifest's line begins with its own file: editors jump there.
        prefix = "" if isinstance(exc, ManifestError) else f"wasm-grpc {command}: "
        for line in str(exc).splitlines():
            print(f"{prefix}{line}", file=stderr)
        failed, usage = _exit_codes(command)
        return usage if isinstance(exc, ConfigError) else failed
    except Exception as exc:
        if os.environ.get("WASM_GRPC_DEBUG"):
            logging.getLogger("wasm_grpc").exception("internal error")
        hint = "with WASM_GRPC_DEBUG=1 it says where"
        print(f"wasm-grpc {command}: internal error: {type(exc).__name__}: {exc}; {hint}", file=stderr)
        return _exit_codes(command)[0]


def _exit_codes(command: str) -> tuple[int, int]:
    return _EXIT_CODES.get(command, (EXIT_FAILED, EXIT_USAGE))
