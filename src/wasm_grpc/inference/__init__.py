"""Inference: one small protocol, one backend, and the models that a worker holds."""
