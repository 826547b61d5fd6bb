"""The gRPC servicers: protocol messages in, invocations out, and every outcome's one status."""
