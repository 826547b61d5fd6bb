"""App: `grpc.aio` sending the chunks of a stream back, the least that any server of ours has to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from benchmarks.apps.callback import run
from wasm_grpc.v1 import functions_pb2 as pb

__all__: list[str] = []


async def _echo(
    requests: AsyncIterator[pb.InvokeRequest],
    context: grpc.aio.ServicerContext[Any, Any],
) -> None:
    requests = aiter(requests)
    await anext(requests)
    header = pb.ResponseHeader(content_type="application/octet-stream")
    await context.write(pb.InvokeResponse(header=header))
    async for request in requests:
        await context.write(pb.InvokeResponse(chunk=request.chunk))


def _add(server: grpc.aio.Server) -> None:
    service = pb.DESCRIPTOR.services_by_name["Functions"]
    invoke = grpc.stream_stream_rpc_method_handler(
        _echo,
        request_deserializer=pb.InvokeRequest.FromString,
        response_serializer=pb.InvokeResponse.SerializeToString,
    )
    handlers = {service.methods[0].name: invoke}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))


if __name__ == "__main__":
    asyncio.run(run(_add))
