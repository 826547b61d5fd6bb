"""The gRPC edge: messages in, invocations out, and the one status of every failure."""
