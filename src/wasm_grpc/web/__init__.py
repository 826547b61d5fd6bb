"""The demo's web page: a picture goes to a function through the sidecar, and what comes back is shown."""
