"""The functions that are served now: a snapshot that every trigger reads afresh for each invocation."""

from __future__ import annotations

from wasm_grpc.catalogue.routes import Catalogue

__all__ = ["Deployment"]


class Deployment:
    """
    The functions that are served, and their methods and topics.

    Attributes:
        catalogue: The current catalogue. Read it once per invocation and don't keep it longer.
    """

    __slots__ = ("catalogue",)

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
