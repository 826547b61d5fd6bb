"""
``wasi_ephemeral_nn`` as a host module, the same on every engine.

`ephemeral.FUNCTIONS` is the table of all functions. `state.InferenceState` is the state that they share
during one invocation; `module.WasiNn` opens models and makes that state. `tensors` checks tensors, with
either of two tables of types. Models are sessions of the package `inference`.
"""
