"""The one place that wires: manifests, artifacts, pool and server become a running app."""
