"""
WASI preview 1 as a host module, the same on every engine.

`preview1.FUNCTIONS` is the whole table; `context.WasiContext` is what its functions share; a
descriptor (`descriptors`, `opened`) is what a guest's file descriptor stands for. Files are nodes
in memory (`tree`), found by `walk`, read once a worker by `mounts`; no function here opens a path
of the host.
"""
