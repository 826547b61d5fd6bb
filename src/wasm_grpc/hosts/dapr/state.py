"""Keys of state stores as files."""

from __future__ import annotations

from wasm_grpc.hosts.dapr.entry import Entry
from wasm_grpc.hosts.dapr.files import DaprFiles, finish
from wasm_grpc.hosts.dapr.held import HeldFile
from wasm_grpc.hosts.dapr.requests import delete_state, get_state, save_state, state_in
from wasm_grpc.hosts.dapr.target import Target
from wasm_grpc.hosts.wasi.abi import EEXIST, ENOENT
from wasm_grpc.hosts.wasi.nodes import Directory, Filestat, OpenRequest
from wasm_grpc.hosts.wasi.refusal import Refusal
from wasm_grpc.hosts.wasi.regular import OpenFile
from wasm_grpc.hosts.wasi.volume import Volume

__all__ = ["StateKey"]


class StateKey(Entry):
    """
    A key of a state store.

    Each descriptor has a copy of the value of its own. It is read at ``path_open``, and saved as a whole at
    ``fd_sync``, ``fd_datasync`` and ``fd_close`` if the guest has written to it or resized it, or if opening
    has created or truncated it. In between it is a file in memory: seek, tell, size, ``append``, ``fd_pread``
    and ``fd_pwrite`` do what they do in any file.
    """

    __slots__ = ()

    def filestat(self, volume: Volume) -> Filestat:
        """
        See `Node.filestat`. This reads the value.

        Raises:
            Refusal: ENOENT, the key is missing; see also `DaprFiles.call`.
        """
        value = self._read()
        if value is None:
            raise Refusal(ENOENT)
        return volume.device, self.inode, self.filetype, self.links, len(value), 0, 0, 0

    def open(self, request: OpenRequest) -> OpenState:
        """
        See `Node.open`. The value is not read if it is to be replaced and may be missing.

        Two guests that open a key with ``excl`` at once may both succeed: Dapr has no call for that.

        Raises:
            Refusal: ENOENT, EEXIST, ENOTDIR; ENOTCAPABLE or EPERM, the directory lacks the right to create or
                truncate files; ENOSPC, there is no room for it; see also `DaprFiles.call`.
        """
        request.check_file()
        is_replaced = request.creates and request.truncates and not request.is_exclusive
        value = None if is_replaced else self._read()
        if value is None and not request.creates:
            raise Refusal(ENOENT)
        if value is not None and request.is_exclusive:
            raise Refusal(EEXIST)
        if is_replaced or value is None:
            # A key that may be missing may be created.
            request.check_creation()
        request.check_truncation()
        is_new = value is None or request.truncates
        content = b"" if is_new or value is None else value
        self.files.take(len(content), self.target)
        file = StateFile(self.files.volume, content, self.inode)
        file.is_unsaved = is_new
        return OpenState(self.files, self.target, file, request)

    def unlink(self, volume: Volume, folder: Directory, name: bytes) -> None:
        """
        See `Node.unlink`. Dapr does not say whether the key existed, so a key that is missing is no error.

        Raises:
            Refusal: See `DaprFiles.call`.
        """
        self.files.call(delete_state(self.target), self.target, "deleted")

    def _read(self) -> bytes | None:
        return state_in(self.files.call(get_state(self.target), self.target, "read"))


class StateFile(HeldFile):
    """
    The value of a key in one descriptor.

    Attributes:
        is_unsaved: Whether it has changed since it was read or saved.
    """

    __slots__ = ("is_unsaved",)

    is_unsaved: bool

    def write(self, volume: Volume, at: int, chunk: memoryview) -> None:
        """
        See `File.write`.
        """
        super().write(volume, at, chunk)
        self.is_unsaved = True

    def resize(self, volume: Volume, size: int) -> None:
        """
        See `File.resize`.
        """
        super().resize(volume, size)
        self.is_unsaved = True


class OpenState(OpenFile):
    """
    The descriptor of a key of a state store; see `StateKey`.
    """

    __slots__ = ("_files", "_target")

    node: StateFile

    def __init__(self, files: DaprFiles, target: Target, file: StateFile, request: OpenRequest) -> None:
        super().__init__(
            files.volume,
            file,
            rights=request.file_rights,
            inheriting=0,
            flags=request.fdflags,
        )
        self._files = files
        self._target = target

    def sync(self) -> None:
        """
        See `OpenNode.sync`. A value that could not be saved stays unsaved.

        Raises:
            Failure: See `DaprFiles.call`.
        """
        if self.node.is_unsaved:
            self._files.send(save_state, self._target, self.node.content, "written")
            self.node.is_unsaved = False

    def close(self) -> None:
        """
        See `Descriptor.close`.

        Raises:
            Failure: See `DaprFiles.call`.
        """
        try:
            self.sync()
        finally:
            super().close()

    def finish(self) -> None:
        """
        See `Descriptor.finish`.
        """
        finish(self.sync)
