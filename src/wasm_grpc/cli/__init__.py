"""The command line: argv in, one command's exit code out, every error one line."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn, TextIO

from wasm_grpc import __version__
from wasm_grpc.cli.arguments import Parser
from wasm_grpc.core.errors import ConfigError, ManifestError, WasmGrpcError

__all__ = ["main", "main_and_exit"]

_COMMANDS = {
    "serve": "serve the functions of a folder to Dapr",
    "invoke": "call a method of a running server, directly or through the sidecar",
    "run": "run one WebAssembly file once, here",
    "check": "check manifests and modules on every engine that can be had",
    "list": "list the functions of a folder and what they are called by",
    "compile": "fill the artifact cache, so that a server starts at once",
    "doctor": "say what this machine can run, and what to do about the rest",
    "demo": "serve the sample functions and turn a picture grey",
}
_MODULES = {"list": "listing", "compile": "compiling"}
"""Where a module can't have its command's name: it would hide the built-in here."""

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
    command = argv[0] if argv and argv[0] in _COMMANDS else ""
    parser, module = _parser(command)
    try:
        options = parser.parse_args(list(argv))
    except SystemExit:
        # It has printed the help, or the version.
        return 0
    except ConfigError as exc:
        print(f"wasm-grpc {command}: {exc}" if command else f"wasm-grpc: {exc}", file=stderr)
        return _exit_codes(command)[1]
    if module is None:
        parser.print_help(stdout)
        return 0 if not argv else EXIT_USAGE
    return _execute(module, command, options, stdout, stderr)


def main_and_exit() -> NoReturn:
    """
    Run the command of this process and end it.
    """
    # gRPC's own log lines repeat, less clearly, what our errors say.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    sys.exit(main(sys.argv[1:], sys.stdout, sys.stderr))


def _parser(command: str) -> tuple[argparse.ArgumentParser, ModuleType | None]:
    """
    Give the parser, and the wanted command's module: the others' libraries would cost start-up time.
    """
    parser = Parser(
        prog="wasm-grpc",
        description="Run WebAssembly functions behind Dapr.",
        epilog="example: wasm-grpc serve functions\n\n"
        "`wasm-grpc COMMAND --help` explains a command; `wasm-grpc doctor` says what is missing.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"wasm-grpc {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    module = None
    for name, text in _COMMANDS.items():
        if name == command:
            module = importlib.import_module(f"wasm_grpc.cli.{_MODULES.get(name, name)}")
            formatter = argparse.RawDescriptionHelpFormatter
            module.add_arguments(subparsers.add_parser(name, formatter_class=formatter, **module.PARSER))
        else:
            subparsers.add_parser(name, help=text, add_help=False)
    return parser, module


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
