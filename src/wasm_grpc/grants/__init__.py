"""Read the files and models that a function is granted, as they are when the server starts."""
