"""The directories below ``/dapr``, which list what the grants name literally, and call nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wasm_grpc.hosts.dapr.entry import Entry, identify
from wasm_grpc.hosts.dapr.exchange import Exchange
from wasm_grpc.hosts.dapr.files import DaprFiles
from wasm_grpc.hosts.dapr.names import decode_name, encode_name, split_parameters
from wasm_grpc.hosts.dapr.state import StateKey
from wasm_grpc.hosts.dapr.target import Kind, Target, inode_of
from wasm_grpc.hosts.dapr.topic import Topic
from wasm_grpc.hosts.dapr.values import ConfigurationItem, Secret
from wasm_grpc.hosts.wasi.abi import EINVAL, FILE_RIGHTS, FOLDER_RIGHTS
from wasm_grpc.hosts.wasi.nodes import Directory, Filestat, OpenFolder, OpenRequest
from wasm_grpc.hosts.wasi.refusal import Refusal
from wasm_grpc.hosts.wasi.volume import Listing, Volume

__all__ = ["DAPR", "open_root"]

DAPR: Final = "/dapr"
"""The guest's path of the directory."""

_ENTRIES: Final[dict[Kind, type[Entry]]] = {
    Kind.STATE: StateKey,
    Kind.SECRETS: Secret,
    Kind.CONFIGURATION: ConfigurationItem,
    Kind.PUBLISH: Topic,
    Kind.BINDINGS: Exchange,
    Kind.INVOKE: Exchange,
}


def open_root(files: DaprFiles) -> OpenFolder:
    """
    Return the open directory ``/dapr`` of an invocation.
    """
    return OpenFolder(
        files.volume,
        _Root(files),
        rights=FOLDER_RIGHTS,
        inheriting=FOLDER_RIGHTS | FILE_RIGHTS,
        name=DAPR.encode(),
    )


class _Root(Directory):
    # The kinds of calls.
    __slots__ = ("_files",)

    def __init__(self, files: DaprFiles) -> None:
        identify(self, inode_of())
        self._files = files

    def find(self, name: bytes) -> Directory | None:
        """
        See `Directory.find`. All kinds are found, so that what is not granted is denied and not missing.
        """
        kind = next((kind for kind in Kind if kind.value.encode() == name), None)
        return None if kind is None else _KindFolder(self._files, kind)

    def listing(self, volume: Volume) -> Listing:
        """
        See `Directory.listing`.
        """
        return Listing(tuple(kind.value.encode() for kind in Kind if kind.grants_of(self._files.grants)))


class _KindFolder(Directory):
    # The components with grants of one kind.
    __slots__ = ("_files", "_kind")

    def __init__(self, files: DaprFiles, kind: Kind) -> None:
        identify(self, inode_of(kind.value))
        self._files = files
        self._kind = kind

    def find(self, name: bytes) -> Directory:
        """
        See `Directory.find`. Every component is found, so that the denial of what is in it can name it.

        Raises:
            Refusal: EINVAL or EILSEQ, it is no name; see `decode_name`.
        """
        if b"?" in name:
            # Parameters belong to a name in a component.
            raise Refusal(EINVAL)
        return _ComponentFolder(self._files, self._kind, decode_name(name))

    def filestat(self, volume: Volume) -> Filestat:
        """
        See `Node.filestat`.

        Raises:
            Refusal: EACCES, nothing of this kind is granted.
        """
        self._files.check_kind(self._kind)
        return super().filestat(volume)

    def open(self, request: OpenRequest) -> OpenFolder:
        """
        See `Node.open`.

        Raises:
            Refusal: EACCES, nothing of this kind is granted; see also `Directory.open`.
        """
        self._files.check_kind(self._kind)
        return super().open(request)

    def listing(self, volume: Volume) -> Listing:
        """
        See `Directory.listing`.
        """
        grants = self._kind.grants_of(self._files.grants)
        components = dict.fromkeys(grant.partition("/")[0] for grant in grants)
        return Listing(tuple(encode_name(component) for component in components))


class _ComponentFolder(Directory):
    # The names in one component.
    __slots__ = ("_component", "_files", "_kind")

    def __init__(self, files: DaprFiles, kind: Kind, component: str) -> None:
        identify(self, inode_of(kind.value, component))
        self._files = files
        self._kind = kind
        self._component = component

    def next_name(self, names: list[bytes]) -> bytes:
        """
        See `Directory.next_name`. A slash in the parameters ends no name, and names may be of any length.
        """
        name = names.pop()
        if b"?" in name:
            name = b"/".join((name, *reversed(names)))
            names.clear()
        return name

    def find(self, name: bytes) -> Entry:
        """
        See `Directory.find`.

        Raises:
            Refusal: EACCES, it is not granted; EINVAL or EILSEQ, it is no name, or its parameters are wrong.
        """
        encoded, parameters = split_parameters(name)
        target = Target(self._kind, self._component, decode_name(encoded), parameters)
        self._files.check(target)
        target.check()
        return _ENTRIES[self._kind](self._files, target)

    def filestat(self, volume: Volume) -> Filestat:
        """
        See `Node.filestat`.

        Raises:
            Refusal: EACCES, nothing in the component is granted.
        """
        self._files.check_component(self._kind, self._component)
        return super().filestat(volume)

    def open(self, request: OpenRequest) -> OpenFolder:
        """
        See `Node.open`.

        Raises:
            Refusal: EACCES, nothing in the component is granted; see also `Directory.open`.
        """
        self._files.check_component(self._kind, self._component)
        return super().open(request)

    def listing(self, volume: Volume) -> Listing:
        """
        See `Directory.listing`.
        """
        return Listing(tuple(dict.fromkeys(map(encode_name, self._literal_names()))))

    def _literal_names(self) -> Iterator[str]:
        for grant in self._kind.grants_of(self._files.grants):
            component, _, name = grant.partition("/")
            if component == self._component and not name.endswith("*"):
                yield name
