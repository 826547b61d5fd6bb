"""waPC as a `HostModule`, without anything to open: the server checks each call against the grants."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from wasm_grpc.core.model import Grants
from wasm_grpc.engines.protocol import HostModules
from wasm_grpc.hosts.protocol import Begin
from wasm_grpc.hosts.wapc import guest_calls, host_calls
from wasm_grpc.hosts.wapc.calls import MODULE
from wasm_grpc.hosts.wapc.state import WapcState

__all__ = ["GUEST_FUNCTIONS", "Wapc"]

GUEST_FUNCTIONS: HostModules = {(MODULE, name): function for name, function in guest_calls.FUNCTIONS.items()}
"""What only a waPC guest may import. They share the state of `Wapc`."""


class Wapc:
    """
    A `HostModule`: calls to Dapr, and the log.
    """

    __slots__ = ()

    functions: ClassVar[HostModules] = {
        (MODULE, name): function for name, function in host_calls.FUNCTIONS.items()
    }
    state: ClassVar[type] = WapcState

    def open(self, grants: Grants, imports: Collection[str] = ()) -> Begin:
        """
        See `HostModule.open`.
        """
        return WapcState

    def import_libraries(self, *, infers: bool, decodes: bool) -> None:
        """
        See `HostModule.import_libraries`. There are none.
        """

    def warm_ups(self) -> Sequence[Callable[[], None]]:
        """
        See `HostModule.warm_ups`. There is nothing to warm up.
        """
        return ()
