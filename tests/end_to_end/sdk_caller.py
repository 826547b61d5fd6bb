"""Somebody's program: calls a method with Dapr's SDK and writes what it learns as one line of JSON."""

from __future__ import annotations

import argparse
import json
import sys

import grpc
from dapr.clients import DaprClient
from google.rpc import error_details_pb2, status_pb2

__all__ = ["main"]


def main() -> None:
    """Call the method; the result is written in hex, a failure as its code, message and reason."""
    parser = argparse.ArgumentParser()
    parser.add_argument("app_id")
    parser.add_argument("method")
    parser.add_argument("--body", default="", help="in hex")
    parser.add_argument("--verb")
    options = parser.parse_args()
    try:
        with DaprClient() as client:
            reply = client.invoke_method(
                options.app_id, options.method, bytes.fromhex(options.body), http_verb=options.verb
            )
    except grpc.RpcError as exc:
        answer = failure(exc)
    else:
        answer = {"body": reply.data.hex(), "content_type": reply.content_type or ""}
    json.dump(answer, sys.stdout)


def failure(error: grpc.RpcError) -> dict[str, str]:
    """Return what a program can learn of a failed call."""
    trailers = {each.key: each.value for each in error.trailing_metadata() or ()}
    status = status_pb2.Status.FromString(bytes(trailers["grpc-status-details-bin"]))
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    return {"code": error.code().name, "message": error.details() or "", "reason": info.reason}


if __name__ == "__main__":
    main()
