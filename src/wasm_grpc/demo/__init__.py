"""The demo: the sample functions served, a picture turned grey, a digit read, and what to try next."""
