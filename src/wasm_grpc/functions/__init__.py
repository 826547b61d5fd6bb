"""What is served: manifests, the catalogue of their methods, and the cache of compiled modules."""
