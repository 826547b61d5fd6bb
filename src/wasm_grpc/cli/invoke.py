"""``wasm-grpc invoke``: call one method, of a server directly or through the Dapr sidecar."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import grpc
from dapr.proto.common.v1 import common_pb2
from dapr.proto.runtime.v1 import appcallback_pb2_grpc, dapr_pb2_grpc, invoke_pb2
from google.protobuf import any_pb2

from wasm_grpc.cli.arguments import duration, header
from wasm_grpc.cli.callee import DEFAULT_ADDRESS, Callee, callee_of
from wasm_grpc.core.errors import ConfigError
from wasm_grpc.dapr.channel import TOKEN_KEY, open_blocking_channel
from wasm_grpc.dapr.endpoint import Endpoint, parse_endpoint

__all__ = ["PARSER", "add_arguments", "execute"]

PARSER: Mapping[str, Any] = {
    "description": "Call a method of a running server, directly or through the sidecar.",
    "epilog": "example: wasm-grpc invoke grayscale --data photo.jpg --output grey.png\n"
    "through a sidecar: wasm-grpc invoke grayscale --data photo.jpg --output grey.png --app-id images\n"
    "as a stream: tail -f app.log | wasm-grpc invoke redact --stream | tee redacted.log\n\n"
    "With --stream body and result are sent and written as they arrive. An --output FILE is\n"
    "FILE.part until it is complete. A terminal as standard input is read until Ctrl-D.\n\n"
    "The token is taken from APP_API_TOKEN, or from DAPR_API_TOKEN for a call through the sidecar.\n"
    "Exits with 1 and one line `CODE: message` if the call fails, 2 for a missing file or a wrong flag.",
}

_LIMITS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_VERBS = [name for name, _ in common_pb2.HTTPExtension.Verb.items() if name != "NONE"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Declare the command's arguments.
    """
    parser.add_argument("method", metavar="METHOD", help="method to call, for example grayscale or api/image")
    parser.add_argument(
        "--data", metavar="FILE", default="-", help="file with the body (default: -, standard input)"
    )
    parser.add_argument("--content-type", metavar="TYPE", default="", help="media type of the body")
    parser.add_argument("--verb", choices=_VERBS, default="POST", help="HTTP verb (default: POST)")
    parser.add_argument("--query", default="", help="query string, such as a=1&b=2")
    parser.add_argument(
        "--header", metavar="K=V", type=header, action="append", default=[], help="metadata to send"
    )
    parser.add_argument(
        "--timeout",
        metavar="TIME",
        type=duration,
        help="give up after this time, such as 5s (default: never)",
    )
    parser.add_argument("--output", metavar="FILE", help="file for the result (default: standard output)")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--address", metavar="HOST:PORT", help=f"server to call (default: {DEFAULT_ADDRESS})")
    target.add_argument("--app-id", metavar="ID", help="call this app through the sidecar at DAPR_GRPC_PORT")
    parser.add_argument(
        "--stream", action="store_true", help="send the body and write the result in chunks, as they arrive"
    )


def execute(options: argparse.Namespace, stdout: TextIO, stderr: TextIO) -> int:
    """
    Call the method. If the call fails, print one line ``CODE: message`` and return 1.
    """
    callee = callee_of(options, os.environ)
    if options.stream:
        from wasm_grpc.cli.streaming import stream

        return stream(options, callee, stdout, stderr)
    body = _read_body(options.data)
    metadata = [tuple(pair) for pair in options.header]
    request = common_pb2.InvokeRequest(
        method=options.method,
        data=any_pb2.Any(value=body),
        content_type=options.content_type,
        http_extension=common_pb2.HTTPExtension(
            verb=common_pb2.HTTPExtension.Verb.Value(options.verb), querystring=options.query
        ),
    )
    if callee.token:
        metadata.append((TOKEN_KEY, callee.token))
    with _open(callee) as channel:
        try:
            response = _call(channel, callee.app_id, request, timeout=options.timeout, metadata=metadata)
        except grpc.RpcError as exc:
            print(callee.failure_line(exc.code(), exc.details() or ""), file=stderr)
            return 1
    _write(response.data.value, options.output, stdout)
    return 0


def _open(callee: Callee) -> grpc.Channel:
    endpoint = Endpoint(callee.address, is_secure=False)
    if callee.app_id:
        endpoint = parse_endpoint(callee.address)
    return open_blocking_channel(endpoint, _LIMITS)


def _call(
    channel: grpc.Channel,
    app_id: str,
    request: common_pb2.InvokeRequest,
    **options: Any,
) -> common_pb2.InvokeResponse:
    response: common_pb2.InvokeResponse
    if not app_id:
        response = appcallback_pb2_grpc.AppCallbackStub(channel).OnInvoke(request, **options)
    else:
        wrapped = invoke_pb2.InvokeServiceRequest(id=app_id, message=request)
        response = dapr_pb2_grpc.DaprStub(channel).InvokeService(wrapped, **options)
    return response


def _read_body(name: str) -> bytes:
    if name == "-":
        # Without a pipe or file the body is empty: waiting for a terminal would look like a hang.
        return b"" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as exc:
        raise ConfigError(f"--data {name}: {exc.strerror}; expected a readable file") from exc


def _write(body: bytes, name: str | None, stdout: TextIO) -> None:
    if name is None:
        stdout.buffer.write(body)
        stdout.flush()
        return
    try:
        Path(name).write_bytes(body)
    except OSError as exc:
        raise ConfigError(f"--output {name}: {exc.strerror}; expected a writable file") from exc
