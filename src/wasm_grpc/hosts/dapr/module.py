"""Dapr as files, as a `HostModule` without functions: what it gives a guest is a directory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from wasm_grpc.core.model import DaprGrants, Grants
from wasm_grpc.engines.protocol import HostModules
from wasm_grpc.hosts.dapr.files import DaprFiles
from wasm_grpc.hosts.protocol import Begin, HostCall

__all__ = ["DaprAsFiles"]


class DaprAsFiles:
    """
    A `HostModule`: the files below ``/dapr``.
    """

    __slots__ = ()

    functions: ClassVar[HostModules] = {}
    state: ClassVar[type] = DaprFiles

    def open(self, grants: Grants, imports: Collection[str] = ()) -> Begin:
        """
        See `HostModule.open`. There is nothing to open.
        """
        return _Granted(grants.dapr).begin

    def import_libraries(self, *, infers: bool, decodes: bool) -> None:
        """
        See `HostModule.import_libraries`. There are none.
        """

    def warm_ups(self) -> Sequence[Callable[[], None]]:
        """
        See `HostModule.warm_ups`. There is nothing to warm up.
        """
        return ()


@dataclass(frozen=True, slots=True)
class _Granted:
    grants: DaprGrants

    def begin(self, call: HostCall) -> DaprFiles:
        """
        Return the state of one invocation.
        """
        return DaprFiles(self.grants, call)
