"""What a function was granted of this machine: files and models, as they are when the server starts."""
