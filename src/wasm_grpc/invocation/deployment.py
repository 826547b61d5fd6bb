"""The functions that are served now: a snapshot that every trigger reads afresh for each invocation."""

from __future__ import annotations

from wasm_grpc.catalogue.routes import Catalogue, Route
from wasm_grpc.manifest.tables import FunctionManifest

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

    def find_method(self, method: str, verb: str) -> tuple[Route, FunctionManifest]:
        """
        Find the route of a method, and the function that serves it.

        Raises:
            InvocationError: As `Catalogue.route`.
        """
        catalogue = self.catalogue
        route = catalogue.route(method, verb)
        return route, catalogue.functions[route.function].manifest

    def find_named(self, kind: str, name: str) -> tuple[Route, FunctionManifest] | None:
        """
        Find the route of a trigger that is called by a name, and its function; None if no function has it.

        Args:
            kind: The kind of trigger, as in ``[[trigger.<kind>]]``.
            name: The name.
        """
        catalogue = self.catalogue
        route = catalogue.named.get((kind, name))
        return None if route is None else (route, catalogue.functions[route.function].manifest)
