"""Workers and who runs on them: the pure schedule, the worker process, the async pool."""
