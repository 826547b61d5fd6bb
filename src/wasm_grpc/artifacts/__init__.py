"""The cache of compiled modules: one file for each, safe to share between servers."""
