"""``wasm-grpc run``: run one WebAssembly file once, here."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from wasm_grpc.app.running import GuestProgram, run_once
from wasm_grpc.cli.arguments import add_engine, duration, setting_flags, size, size_or_none
from wasm_grpc.cli.configuration import hide_secrets, read_settings
from wasm_grpc.cli.logs import log_to
from wasm_grpc.cli.typed_arguments import read_argument
from wasm_grpc.core.errors import ConfigError
from wasm_grpc.core.model import (
    PAGE_BYTES,
    DaprGrants,
    Grants,
    Inference,
    Limits,
    Model,
    Mount,
    Outcome,
    Reason,
    ResultKind,
)
from wasm_grpc.dapr.endpoint import sidecar_address
from wasm_grpc.grants.files import read_mount
from wasm_grpc.grants.models import read_model
from wasm_grpc.manifest.keys import check_grant, check_method_grant
from wasm_grpc.manifest.wording import listed

__all__ = ["PARSER", "add_arguments", "execute"]

PARSER: Mapping[str, Any] = {
    "description": "Run one WASI command, or one function of a waPC or wasmedge-bindgen guest, once, here,\n"
    "in a worker with the same limits as a function. Options go before FILE; everything after it is\n"
    "passed to the guest.",
    "epilog": "example: wasm-grpc run functions/grayscale/grayscale.wasm < photo.jpg > grey.png\n"
    "with files: wasm-grpc run --file words:/words --scratch out:/out guest.wasm /words/list.txt\n"
    "with Dapr: wasm-grpc run --dapr --grant state=statestore/* guest.wasm\n"
    'waPC: wasm-grpc run --call hello guest.wasm \'{"name": "Ada"}\'\n'
    "wasmedge-bindgen: wasm-grpc run --call resize guest.wasm bytes:@photo.jpg u32:640\n\n"
    "With --call, standard input is the one argument, unless there are ARGS: texts, or bytes:@FILE.\n"
    "For wasmedge-bindgen also numbers (i32:5, f64:1.5), bool:true, char:x and arrays (u16[]:1,2,3).\n"
    "A text that looks like one of these is written string:TEXT.\n"
    "Standard output gets the result, a number with a newline after it; what the guest prints goes to\n"
    "standard error.\n\n"
    "Exits with the guest's code (255 for any above; 1 if a function failed), 134 on a trap,\n"
    "124 on the time limit, 125 if it failed before the guest ran.",
}

EXIT_GUEST_FAILED = 1
EXIT_TIMEOUT = 124
EXIT_NOT_RUN = 125
EXIT_TRAP = 134
_HIGHEST_EXIT = 255
_KINDS = [field.name for field in dataclasses.fields(DaprGrants)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the command's arguments.
    """
    add_engine(parser)
    parser.add_argument(
        "--env", metavar="K=V", type=_variable, action="append", default=[], help="environment variable"
    )
    parser.add_argument(
        "--timeout", metavar="TIME", type=duration, help="time limit, such as 5s (default: none)"
    )
    parser.add_argument("--memory", metavar="SIZE", type=size, help="memory limit (default: 64MiB)")
    parser.add_argument(
        "--file",
        dest="files",
        metavar="HOST:GUEST",
        type=_mount,
        action="append",
        default=[],
        help="file or folder that the guest may read",
    )
    parser.add_argument(
        "--scratch",
        dest="scratches",
        metavar="HOST:GUEST",
        type=_mount,
        action="append",
        default=[],
        help="folder that the guest gets as a writable copy in memory; nothing is written back",
    )
    parser.add_argument(
        "--scratch-limit",
        metavar="SIZE",
        type=size_or_none,
        help="limit on the growth of each --scratch folder and on /tmp (default: 16MiB; 0B: no /tmp)",
    )
    parser.add_argument("--nn", action="store_true", help="the guest may load its own TensorFlow Lite models")
    parser.add_argument(
        "--nn-model",
        dest="models",
        metavar="NAME=PATH",
        type=_named_path,
        action="append",
        default=[],
        help="TensorFlow Lite model that the guest may load by its name, or bring itself",
    )
    parser.add_argument(
        "--dapr", action="store_true", help="let the guest call Dapr, through the sidecar at DAPR_GRPC_PORT"
    )
    parser.add_argument(
        "--grant",
        dest="grants",
        metavar="KIND=PATTERN",
        type=_grant,
        action="append",
        default=[],
        help="what the guest may ask of Dapr, such as state=statestore/orders-* (with --dapr)",
    )
    parser.add_argument("--call", metavar="NAME", help="waPC operation or wasmedge-bindgen function to call")
    parser.add_argument("file", metavar="FILE", help="WebAssembly file")
    parser.add_argument("args", metavar="ARGS", nargs=argparse.REMAINDER, help="the guest's arguments")


def execute(options: argparse.Namespace, stdout: TextIO, stderr: TextIO) -> int:
    """
    Run the file. Return the guest's exit code, or one of those above.
    """
    log_to(stderr, default="warning")
    settings = read_settings(setting_flags(options))
    hide_secrets()
    is_call = options.call is not None
    program = GuestProgram(
        file=Path(options.file),
        args=() if is_call else tuple(options.args),
        env=tuple(options.env),
        limits=_limits(options),
        grants=Grants(mounts=_mounts(options), inference=_inference(options), dapr=_dapr(options)),
        sidecar=sidecar_address(os.environ) if options.dapr else "",
        operation=options.call,
        arguments=tuple(map(read_argument, options.args)) if is_call else (),
    )
    streams = _ProcessStreams(stdout.buffer, stderr.buffer)
    outcome = asyncio.run(run_once(program, settings, streams))
    if outcome.result_kind is ResultKind.VALUE:
        streams.write(b"\n")
    # A command that exits has said why itself. A function has told it to the host.
    if outcome.reason not in (Reason.OK, Reason.REJECTED, *(() if is_call else (Reason.EXITED,))):
        begin = "\n" if streams.is_mid_line else ""
        print(f"{begin}wasm-grpc run: {options.file}: {outcome.message}", file=stderr)
    return _exit_code(outcome)


class _ProcessStreams:
    """
    The standard streams of this process.

    Attributes:
        is_mid_line: Whether the last line on standard error has no end yet.
    """

    def __init__(self, stdout: BinaryIO, stderr: BinaryIO) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self.is_mid_line = False

    def read(self, limit: int) -> bytes:
        return os.read(0, limit)

    def write(self, chunk: bytes) -> None:
        self._stdout.write(chunk)
        self._stdout.flush()

    def log(self, chunk: bytes) -> None:
        self._stderr.write(chunk)
        self._stderr.flush()
        self.is_mid_line = not chunk.endswith(b"\n")


def _exit_code(outcome: Outcome) -> int:
    if outcome.reason is Reason.OK:
        return 0
    if outcome.reason is Reason.TIMEOUT:
        return EXIT_TIMEOUT
    # WASI exit codes have 32 bits, those of a process only 8.
    if outcome.exit_code:
        return min(outcome.exit_code & 0xFFFFFFFF, _HIGHEST_EXIT)
    if outcome.reason is Reason.EXITED:
        return EXIT_GUEST_FAILED
    return EXIT_NOT_RUN if outcome.reason is Reason.UNAVAILABLE else EXIT_TRAP


def _limits(options: argparse.Namespace) -> Limits:
    limits = dataclasses.replace(Limits(), timeout_s=options.timeout, output_bytes=None)
    if options.scratch_limit is not None:
        limits = dataclasses.replace(limits, scratch_bytes=options.scratch_limit)
    if options.memory is not None:
        # Round down to whole pages of WebAssembly.
        memory_bytes = max(options.memory // PAGE_BYTES, 1) * PAGE_BYTES
        limits = dataclasses.replace(limits, memory_bytes=memory_bytes)
    # What a function is called with must fit into the guest's memory, which is limit enough.
    return dataclasses.replace(limits, body_bytes=limits.memory_bytes)


def _mounts(options: argparse.Namespace) -> tuple[Mount, ...]:
    mounts: dict[str, Mount] = {}
    taken: set[str] = set()
    asked = [("--file", *each) for each in options.files] + [
        ("--scratch", *each) for each in options.scratches
    ]
    for flag, host, guest in asked:
        if guest in taken:
            raise ConfigError(f"{flag} {host}:{guest}: {guest!r} is given twice; expected another path")
        taken.add(guest)
        try:
            mount = read_mount(host, guest, is_writable=flag == "--scratch")
            mounts[mount.guest] = _joined(mounts.get(mount.guest), mount)
        except ConfigError as exc:
            raise ConfigError(f"{flag} {host}:{guest}: {exc}") from exc
    return tuple(mounts.values())


def _joined(there: Mount | None, mount: Mount) -> Mount:
    """
    Merge two mounts of one folder, since several granted files may be in the same folder.
    """
    if there is None:
        return mount
    if mount.is_writable:
        raise ConfigError(f"{mount.guest!r} has read-only files; expected a separate folder")
    names = {entry.path for entry in there.entries}
    for entry in mount.entries:
        if entry.path in names:
            place = posixpath.join(mount.guest, entry.path)
            raise ConfigError(f"{place!r} is given twice; expected another path")
    return dataclasses.replace(there, entries=there.entries + mount.entries)


def _inference(options: argparse.Namespace) -> Inference:
    models: dict[str, Model] = {}
    for name, path in options.models:
        flag = f"--nn-model {name}={path}"
        if name in models:
            raise ConfigError(f"{flag}: {name!r} is given twice; expected another name")
        try:
            models[name] = read_model(name, Path(path), path)
        except ConfigError as exc:
            raise ConfigError(f"{flag}: {exc}") from exc
    return Inference(models=tuple(models.values()), may_load=options.nn)


def _dapr(options: argparse.Namespace) -> DaprGrants:
    if options.grants and not options.dapr:
        raise ConfigError("--grant: without --dapr the guest can't call Dapr; expected --dapr too")
    if options.dapr and not options.grants:
        raise ConfigError(
            "--dapr: the guest may call nothing without a grant; expected --grant too,"
            " such as --grant state=statestore/orders-*"
        )
    granted: dict[str, list[str]] = {}
    for kind, pattern in options.grants:
        granted.setdefault(kind, []).append(pattern)
    return DaprGrants(**{kind: tuple(patterns) for kind, patterns in granted.items()})


def _grant(text: str) -> tuple[str, str]:
    kind, _, pattern = text.partition("=")
    if kind not in _KINDS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a grant; expected KIND=PATTERN, where KIND is {listed(_KINDS, 'or')}"
        )
    try:
        return kind, check_method_grant(pattern) if kind == "invoke" else check_grant(pattern)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(f"{kind}: {exc}") from exc


def _named_path(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a model; expected NAME=PATH, such as default=model.tflite"
        )
    return name, path


def _mount(text: str) -> tuple[str, str]:
    # The last colon, since a path of this machine may have one.
    host, colon, guest = text.rpartition(":")
    if not colon or not host or not guest:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a mount; expected HOST:GUEST, such as model:/model"
        )
    return host, guest.rstrip("/") or "/"


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not a variable; expected NAME=value")
    return name, value
