"""
Typed clients of the streaming service, blocking and asyncio, for callers of functions.

The client here blocks. ``wasm_grpc.client.aio`` has the asyncio client, with the same names.
"""

from wasm_grpc.client.blocking import FunctionsClient, Stream
from wasm_grpc.client.errors import FunctionError
from wasm_grpc.client.messages import Header

__all__ = ["FunctionError", "FunctionsClient", "Header", "Stream"]
