"""What is served now: the one snapshot that whoever serves asks, and keeps for one invocation at most."""

from __future__ import annotations

from wasm_grpc.catalogue.routes import Catalogue

__all__ = ["Deployment"]


class Deployment:
    """
    The functions that are served, and the methods and topics that lead to them.

    Attributes:
        catalogue: As it is now. Ask once an invocation, and keep it no longer.
    """

    __slots__ = ("catalogue",)

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
