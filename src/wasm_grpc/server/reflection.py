"""gRPC server reflection: the services describe themselves to tools that have no ``.proto``."""

from __future__ import annotations

import grpc
from dapr.proto.runtime.v1 import appcallback_pb2
from grpc_reflection.v1alpha import reflection

from wasm_grpc.server.functions import SERVICE

__all__ = ["add_reflection"]


def add_reflection(server: grpc.aio.Server) -> None:
    """
    Register the service. It requires no token, since the service definitions are public.
    """
    callbacks = appcallback_pb2.DESCRIPTOR.services_by_name.values()
    names = (SERVICE, *(each.full_name for each in callbacks), reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
