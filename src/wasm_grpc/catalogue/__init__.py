"""The functions of a folder, and the methods and topics that lead to them: read once, then immutable."""
