"""Run WebAssembly functions behind Dapr: an asyncio gRPC app-callback server."""

__all__ = ["__version__"]

__version__ = "0.1.0"
