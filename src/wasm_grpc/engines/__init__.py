"""WebAssembly engines behind one small protocol, and the limits written into modules."""
