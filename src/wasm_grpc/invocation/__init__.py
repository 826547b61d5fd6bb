"""One invocation of a function, whoever calls it: environment, run and response, independent of gRPC."""
