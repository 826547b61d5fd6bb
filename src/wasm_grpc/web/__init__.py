"""The demo's web page: send a picture to a function through the sidecar, and show the result."""
