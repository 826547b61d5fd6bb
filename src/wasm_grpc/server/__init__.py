"""The gRPC layer: turn calls into invocations, and failures into gRPC statuses."""
