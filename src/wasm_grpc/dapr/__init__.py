"""Dapr's protocols: a client of the sidecar, and translation between protobuf and our own data."""
