"""A sidecar for development on machines without Dapr: what the demo needs of its gRPC API, in memory."""
