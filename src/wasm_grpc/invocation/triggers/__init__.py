"""What can call a function, one module each: service invocations, streams, topics, input bindings."""
