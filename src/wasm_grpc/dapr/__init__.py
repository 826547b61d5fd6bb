"""Dapr's protocols: a client of the sidecar, and conversion from and to Dapr's protobuf messages."""
