"""What the server and the workers share: frozen data, errors, settings, and the frames between them."""
