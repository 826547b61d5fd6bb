"""Small pictures whose pixels are known, their files, and what scaling must make of them."""
