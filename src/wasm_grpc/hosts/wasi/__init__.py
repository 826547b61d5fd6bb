"""
WASI preview 1 as a host module, the same on every engine.

`preview1.FUNCTIONS` is the whole table; `context.WasiContext` is what its functions share; a
descriptor (`descriptors`) is what a guest's file descriptor stands for. Files will be one more
kind of descriptor and a tree that ``path_open`` walks; nothing here opens a path of the host.
"""
