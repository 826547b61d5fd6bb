"""
WASI preview 1 as a host module, the same on every engine.

`preview1.FUNCTIONS` is the table of all functions, and `context.WasiContext` the state that they share.
`descriptors` has what a guest's file descriptors refer to. `nodes` says what every file and directory can do;
those of a mount are in memory (`regular`, `tree`), and another host module may bring its own. `mounts` reads
them once for each worker, and `walk` resolves paths. No function here opens a host path.
"""
