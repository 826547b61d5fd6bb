"""Wasmtime: an adapter over its C API, one over its public classes, and what both share."""
