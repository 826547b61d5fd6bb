"""Secrets and configuration items as files that can only be read."""

from __future__ import annotations

from wasm_grpc.hosts.dapr.entry import Entry
from wasm_grpc.hosts.dapr.held import HeldFile
from wasm_grpc.hosts.dapr.requests import configuration_in, get_configuration, get_secret, secret_in
from wasm_grpc.hosts.wasi.abi import ENOENT, EROFS
from wasm_grpc.hosts.wasi.nodes import Filestat, OpenRequest
from wasm_grpc.hosts.wasi.refusal import Refusal
from wasm_grpc.hosts.wasi.regular import OpenFile
from wasm_grpc.hosts.wasi.volume import Volume

__all__ = ["ConfigurationItem", "Secret"]


class _Value(Entry):
    __slots__ = ()

    def _read(self) -> bytes | None:
        raise NotImplementedError  # abstract; see `Node`

    def _existing(self) -> bytes:
        value = self._read()
        if value is None:
            raise Refusal(ENOENT)
        return value

    def filestat(self, volume: Volume) -> Filestat:
        """
        See `Node.filestat`. This reads the value.

        Raises:
            Refusal: ENOENT, it is missing; see also `DaprFiles.call`.
        """
        return volume.device, self.inode, self.filetype, self.links, len(self._existing()), 0, 0, 0

    def open(self, request: OpenRequest) -> OpenFile:
        """
        See `Node.open`. The descriptor is that of a file in memory, without the right to write.

        Raises:
            Refusal: ENOENT, ENOTDIR; EROFS, it is opened for more than reading; ENOSPC, there is no room
                for it; see also `DaprFiles.call`.
        """
        request.check_file()
        if request.writes or request.creates or request.truncates:
            raise Refusal(EROFS)
        value = self._existing()
        self.files.take(len(value), self.target)
        return OpenFile(
            self.files.volume,
            HeldFile(self.files.volume, value, self.inode),
            rights=request.file_rights,
            inheriting=0,
            flags=request.fdflags,
        )


class Secret(_Value):
    """
    A secret of a secret store. Its value is that of its one entry; several entries are a JSON object.
    """

    __slots__ = ()

    def _read(self) -> bytes | None:
        return secret_in(self.files.call(get_secret(self.target), self.target, "read"))


class ConfigurationItem(_Value):
    """
    An item of a configuration store.
    """

    __slots__ = ()

    def _read(self) -> bytes | None:
        response = self.files.call(get_configuration(self.target), self.target, "read")
        return configuration_in(response, self.target.name)
