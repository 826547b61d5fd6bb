"""Models and what runs them: one small protocol, one adapter, and the models that a worker holds."""
