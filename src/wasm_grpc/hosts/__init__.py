"""Host modules: the functions that a guest may import, written once for all engines."""
