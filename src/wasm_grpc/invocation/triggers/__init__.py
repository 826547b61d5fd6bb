"""What calls functions, one module each: service invocations, streams, topics."""
