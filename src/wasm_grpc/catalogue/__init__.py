"""Which functions there are, and which methods and topics lead to each: read once, then immutable."""
