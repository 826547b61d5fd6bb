"""What both towers share: frozen data, the error tree, the frames between them, settings."""
