"""The cache of compiled modules: one file a module, safe to share between servers."""
