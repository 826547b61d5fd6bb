"""
``wasmedge_image`` as a host module: pictures decoded into a guest's memory, at the size it wants.

`functions.FUNCTIONS` is the table of all functions, by the names of WasmEdge's plugin (0.13 and later) and by
those of the extension before it. The two differ in how they scale, and in what floats mean.
`state.PictureState` is the state that they share during one invocation; `module.WasmedgeImage` opens the
decoder of the package `pictures`.
"""
