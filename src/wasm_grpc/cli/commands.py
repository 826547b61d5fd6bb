"""The commands, each a module of this package, and the parser for some or all of them."""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType

from wasm_grpc import __version__
from wasm_grpc.cli.arguments import Parser

__all__ = ["COMMANDS", "module_of", "parser_of"]

COMMANDS = {
    "serve": "serve the functions of a folder to Dapr",
    "invoke": "call a method of a running server, directly or through the sidecar",
    "run": "run one WebAssembly file once, here",
    "check": "check manifests and modules on every available engine",
    "list": "list the functions of a folder and their triggers",
    "compile": "compile functions into the cache, so that a server starts fast",
    "doctor": "report what this machine can run, and how to fix the rest",
    "completion": "print a script that completes this command line in a shell",
    "web": "serve the demo's page beside a sidecar",
    "demo": "start the page, its functions and their sidecars in one command",
}
_MODULES = {"list": "listing", "compile": "compiling"}
"""Modules whose name differs from the command, which would shadow a builtin here."""


def module_of(command: str) -> ModuleType:
    """
    Return the module of a command, with its ``PARSER``, ``add_arguments`` and ``execute``.
    """
    return importlib.import_module(f"wasm_grpc.cli.{_MODULES.get(command, command)}")


def parser_of(*commands: str) -> argparse.ArgumentParser:
    """
    Return a parser that knows all commands by name, and the arguments of the given ones.
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
    for name, text in COMMANDS.items():
        if name in commands:
            module = module_of(name)
            formatter = argparse.RawDescriptionHelpFormatter
            known = subparsers.add_parser(name, help=text, formatter_class=formatter, **module.PARSER)
            module.add_arguments(known)
        else:
            subparsers.add_parser(name, help=text, add_help=False)
    return parser
