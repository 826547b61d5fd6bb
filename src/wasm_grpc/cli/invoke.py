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

from wasm_grpc.cli.arguments import duration, header, later
from wasm_grpc.core.errors import ConfigError
from wasm_grpc.dapr.channel import TOKEN_KEY
from wasm_grpc.dapr.endpoint import Endpoint, endpoint_from, parse_endpoint

__all__ = ["PARSER", "add_arguments", "execute"]

PARSER: Mapping[str, Any] = {
    "description": "Call a method of a running server, directly or through the sidecar.",
    "epilog": "example: wasm-grpc invoke grayscale --data photo.jpg --output grey.png\n"
    "through a sidecar: wasm-grpc invoke grayscale --data photo.jpg --output grey.png --app-id images\n\n"
    "The token is taken from APP_API_TOKEN, through the sidecar from DAPR_API_TOKEN.\n"
    "Exits with 1 and one line `CODE: message` if the call fails, 2 for a missing file or a wrong flag.",
}

_DEFAULT_ADDRESS = "127.0.0.1:50051"
_DEFAULT_SIDECAR = "127.0.0.1:50001"
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
    parser.add_argument("--output", metavar="FILE", help="where the result goes (default: standard output)")
    target = parser.add_mutually_exclusive_group()
    target.add_argument(
        "--address", metavar="HOST:PORT", help=f"server to call (default: {_DEFAULT_ADDRESS})"
    )
    target.add_argument("--app-id", metavar="ID", help="call this app through the sidecar at DAPR_GRPC_PORT")
    later(parser, "--stream", "streaming")


def execute(options: argparse.Namespace, stdout: TextIO, stderr: TextIO) -> int:
    """
    Call the method; exit code 1 and one line ``CODE: message`` if the call fails.
    """
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
    address = options.address or _DEFAULT_ADDRESS
    endpoint = Endpoint(address, is_secure=False)
    if options.app_id is not None:
        address = endpoint_from(os.environ) or _DEFAULT_SIDECAR
        endpoint = parse_endpoint(address)
    token = os.environ.get("APP_API_TOKEN" if options.app_id is None else "DAPR_API_TOKEN")
    if token:
        metadata.append((TOKEN_KEY, token))
    with _open(endpoint) as channel:
        try:
            response = _call(channel, options.app_id, request, timeout=options.timeout, metadata=metadata)
        except grpc.RpcError as exc:
            print(f"{exc.code().name}: {_message(exc, address, options.app_id)}", file=stderr)
            return 1
    _write(response.data.value, options.output, stdout)
    return 0


def _open(endpoint: Endpoint) -> grpc.Channel:
    limits = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    if endpoint.is_secure:
        return grpc.secure_channel(endpoint.target, grpc.ssl_channel_credentials(), options=limits)
    return grpc.insecure_channel(endpoint.target, options=limits)


def _call(
    channel: grpc.Channel,
    app_id: str | None,
    request: common_pb2.InvokeRequest,
    **options: Any,
) -> common_pb2.InvokeResponse:
    response: common_pb2.InvokeResponse
    if app_id is None:
        response = appcallback_pb2_grpc.AppCallbackStub(channel).OnInvoke(request, **options)
    else:
        wrapped = invoke_pb2.InvokeServiceRequest(id=app_id, message=request)
        response = dapr_pb2_grpc.DaprStub(channel).InvokeService(wrapped, **options)
    return response


def _message(error: Any, address: str, app_id: str | None) -> str:
    text = str(error.details())
    if error.code() is grpc.StatusCode.UNAVAILABLE and "failed to connect" in text.lower():
        wanted = (
            "a running `wasm-grpc serve`"
            if app_id is None
            else "a Dapr sidecar; DAPR_GRPC_PORT names its port"
        )
        return f"nothing answers at {address}; expected {wanted}"
    return " ".join(text.split())


def _read_body(name: str) -> bytes:
    if name == "-":
        return b"" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as exc:
        raise ConfigError(f"--data {name}: {exc.strerror}") from exc


def _write(body: bytes, name: str | None, stdout: TextIO) -> None:
    if name is None:
        stdout.buffer.write(body)
        stdout.flush()
        return
    try:
        Path(name).write_bytes(body)
    except OSError as exc:
        raise ConfigError(f"--output {name}: {exc.strerror}") from exc
