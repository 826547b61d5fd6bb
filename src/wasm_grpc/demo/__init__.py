"""The demo: the sample functions served, a picture turned grey, and what to try next."""
