"""The messages of ``proto/wasm_grpc/v1``, as ``make proto`` generates them."""
