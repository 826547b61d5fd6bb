"""
Clients of the streaming service, for callers of functions: typed, blocking or on asyncio.

The one here blocks; ``wasm_grpc.client.aio`` has the other, under the same names.
"""

from wasm_grpc.client.blocking import FunctionsClient, Stream
from wasm_grpc.client.errors import FunctionError
from wasm_grpc.client.messages import Header

__all__ = ["FunctionError", "FunctionsClient", "Header", "Stream"]
