"""The worker's tower: a process that runs guests one at a time for the server at its socket."""
