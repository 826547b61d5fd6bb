"""
``wasmedge_tensorflowlite``, WasmEdge's own interface for inference, as a host module.

It has two tables of functions for the same sessions: `current.FUNCTIONS` for modules since WasmEdge 0.13, and
`first.FUNCTIONS` for those of 2021. `sessions` is what both do, and `state.TensorflowLiteState` is the state
that they share during one invocation. `tensorflow.FUNCTIONS` is the table of ``wasmedge_tensorflow``, whose
functions both kinds of modules import and seldom call.

Source: WasmEdge's ``plugins/wasmedge_tensorflowlite`` and ``plugins/wasmedge_tensorflow``, second-state's
WasmEdge-tensorflow before them, and the crate wasmedge_tensorflow_interface, 0.2 and 0.3.
"""
