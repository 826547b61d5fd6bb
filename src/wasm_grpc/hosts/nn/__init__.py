"""
``wasi_ephemeral_nn`` as a host module, the same on every engine.

`ephemeral.FUNCTIONS` is the whole table; `state.InferenceState` is what one instance's functions
share; `tensors` tells the two tables of tensor types apart. Models are sessions of `inference`.
"""
