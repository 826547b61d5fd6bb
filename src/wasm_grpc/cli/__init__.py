"""The command line: parse argv, run one command, print errors as single lines, return the exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn, TextIO

from wasm_grpc import __version__
from wasm_grpc.cli.commands import COMMANDS, module_of, parser_of
from wasm_grpc.cli.standard_streams import (
    WRITE_ERRORS,
    discard_what_can_not_be_written,
    open_standard_streams,
)
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
"""Exit codes of a failure and of a wrong flag, if not 1 and 2: with `run` those may be the guest's."""


def main(argv: Sequence[str], stdout: TextIO, stderr: TextIO) -> int:
    """
    Run one command, and return its exit code.

    0: it succeeded. 1: it failed. 2: a flag, a manifest or a setting is wrong. `run` has other codes.
    """
    if argv and argv[0] in _LATER:
        print(
            f"wasm-grpc {argv[0]}: not available in version {__version__}; see `wasm-grpc --help`",
            file=stderr,
        )
        return EXIT_USAGE
    command = argv[0] if argv and argv[0] in COMMANDS else ""
    failed, usage = _EXIT_CODES.get(command, (EXIT_FAILED, EXIT_USAGE))
    try:
        code = _execute(command, argv, stdout, stderr)
        # Flush here, so that a write error is reported by us and not by the interpreter at exit.
        stdout.flush()
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone, so there is nobody to tell.
        code = EXIT_FAILED
    except Exception as exc:  # noqa: BLE001 - the last place to report it
        for line in _lines_of(exc, f"wasm-grpc {command}".rstrip()):
            print(line, file=stderr)
        code = usage if isinstance(exc, ConfigError) else failed
    return code


def _lines_of(error: Exception, name: str) -> Iterable[str]:
    if isinstance(error, ManifestError):
        # Each line begins with the name of its file, so that editors can jump there.
        return str(error).splitlines()
    if isinstance(error, WasmGrpcError):
        return [f"{name}: {line}" for line in str(error).splitlines()]
    if isinstance(error, OSError) and error.errno in WRITE_ERRORS:
        return [f"{name}: standard output can't be written: {error.strerror}"]
    if os.environ.get("WASM_GRPC_DEBUG"):
        logging.getLogger("wasm_grpc").error("internal error", exc_info=error)
    hint = "set WASM_GRPC_DEBUG=1 for a traceback"
    return [f"{name}: internal error: {type(error).__name__}: {error}; {hint}"]


def _execute(command: str, argv: Sequence[str], stdout: TextIO, stderr: TextIO) -> int:
    # Load this command's module only: the libraries of the others would slow down the start.
    parser = parser_of(*filter(None, [command]))
    try:
        options = parser.parse_args(list(argv))
    except SystemExit:
        # argparse has printed the help or the version.
        return 0
    if not command:
        parser.print_help(stdout)
        return EXIT_USAGE if argv else 0
    return int(module_of(command).execute(options, stdout, stderr))


def main_and_exit() -> NoReturn:
    """
    Run the command in `sys.argv` and exit the process.
    """
    # gRPC's own log lines repeat our errors, less clearly.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    open_standard_streams()
    code = main(sys.argv[1:], sys.stdout, sys.stderr)
    discard_what_can_not_be_written()
    sys.exit(code)
