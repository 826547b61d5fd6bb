"""
WASI preview 1 as a host module, the same on every engine.

`preview1.FUNCTIONS` is the table of all functions, and `context.WasiContext` the state that they share.
`descriptors` and `opened` hold what a guest's file descriptors refer to. Files are nodes in memory (`tree`).
`mounts` reads them once for each worker, and `walk` resolves paths. No function here opens a host path.
"""
