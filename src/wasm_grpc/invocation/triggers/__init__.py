"""The ways a function can be called, one module each: service invocations, streams, topics."""
