"""What `function.toml` may say: its tables, each key's check, and the line for whatever is wrong."""
