"""The worker: a process that runs guests, one at a time, for the server at the other end of its socket."""
