"""Wasmtime: an adapter over its C API, another over its public classes, and code that both share."""
