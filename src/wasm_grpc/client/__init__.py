"""Clients of the streaming service, for callers of functions: typed, blocking or on asyncio."""
