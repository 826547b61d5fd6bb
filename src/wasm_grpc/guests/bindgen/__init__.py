"""
The guest interface ``wasmedge-bindgen``: typed arguments in, typed results or an error out.

`conventions` recognises guests and tells the versions apart. `guest` checks and calls them. What they import,
and how their results are read, is in `wasm_grpc.hosts.bindgen`.
"""
