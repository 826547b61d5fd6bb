"""Pictures: JPEG and PNG decoded, and scaled to the size that a guest asks for."""
