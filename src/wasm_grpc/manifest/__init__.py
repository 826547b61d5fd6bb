"""Parse `function.toml`: its tables, the checks of each key, and a line for each fault."""
