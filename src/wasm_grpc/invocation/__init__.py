"""One invocation of a function, whatever called it: its environment, its run, its response; knows no gRPC."""
