"""wasmedge-bindgen as a `HostModule`, without anything to open and without functions for other guests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from wasm_grpc.core.model import Grants
from wasm_grpc.engines.protocol import HostModules
from wasm_grpc.hosts.bindgen.state import BindgenState
from wasm_grpc.hosts.protocol import Begin

__all__ = ["Bindgen"]


class Bindgen:
    """
    A `HostModule`: the state of `calls.FUNCTIONS`.
    """

    __slots__ = ()

    functions: ClassVar[HostModules] = {}
    state: ClassVar[type] = BindgenState

    def open(self, grants: Grants, imports: Collection[str] = ()) -> Begin:
        """
        See `HostModule.open`.
        """
        return BindgenState

    def import_libraries(self, *, infers: bool, decodes: bool) -> None:
        """
        See `HostModule.import_libraries`. It needs none.
        """

    def warm_ups(self) -> Sequence[Callable[[], None]]:
        """
        See `HostModule.warm_ups`. There is nothing to warm up.
        """
        return ()
