"""What a guest may import: host modules, written once over the engine protocol."""
