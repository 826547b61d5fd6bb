"""A sidecar for development on machines without Dapr: the parts of its gRPC API that the demo uses."""
