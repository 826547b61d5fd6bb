"""What a path below ``/dapr`` refers to: a kind, a component, a name in it, and parameters."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass

from wasm_grpc.core.model import DaprGrants
from wasm_grpc.hosts.dapr.names import Parameters
from wasm_grpc.hosts.wasi.abi import EINVAL
from wasm_grpc.hosts.wasi.refusal import Refusal

__all__ = ["DEFAULT_CONTENT_TYPE", "Kind", "Target", "inode_of"]

DEFAULT_CONTENT_TYPE = "application/octet-stream"
_CONTENT_TYPE = "content-type"
"""The one parameter that Dapr gets neither as metadata nor in a query."""


class Kind(enum.Enum):
    """
    A kind of calls to Dapr. The value is the name of its directory, and of its key in ``capabilities.dapr``.
    """

    STATE = "state"
    SECRETS = "secrets"
    CONFIGURATION = "configuration"
    PUBLISH = "publish"
    BINDINGS = "bindings"
    INVOKE = "invoke"

    @property
    def noun(self) -> str:
        """
        What one name of this kind is called in a message.
        """
        return _NOUNS[self]

    def grants_of(self, grants: DaprGrants) -> tuple[str, ...]:
        """
        Return the grants of this kind.
        """
        granted: tuple[str, ...] = getattr(grants, self.value)
        return granted


_NOUNS = {
    Kind.STATE: "state",
    Kind.SECRETS: "secret",
    Kind.CONFIGURATION: "configuration",
    Kind.PUBLISH: "topic",
    Kind.BINDINGS: "binding",
    Kind.INVOKE: "method",
}


@dataclass(frozen=True, slots=True)
class Target:
    """
    One name in a component.

    Attributes:
        kind: The kind of call.
        component: Name of the component, or of the app.
        name: The key, topic, operation or method.
        parameters: What stands behind the name in the path.
    """

    kind: Kind
    component: str
    name: str
    parameters: Parameters = ()

    def __str__(self) -> str:
        """
        Return what a message calls it.
        """
        return f"{self.kind.noun} {f'{self.component}/{self.name}'!r}"

    @property
    def inode(self) -> int:
        """
        Its number in ``filestat``.
        """
        return inode_of(self.kind.value, self.component, self.name)

    @property
    def content_type(self) -> str | None:
        """
        The content type of what is written; ``None`` if the path says none.
        """
        return next((value for name, value in self.parameters if name == _CONTENT_TYPE), None)

    @property
    def others(self) -> Parameters:
        """
        The parameters besides the content type.
        """
        return tuple(pair for pair in self.parameters if pair[0] != _CONTENT_TYPE)

    def metadata(self) -> dict[str, str]:
        """
        Return the parameters besides the content type as Dapr's metadata.
        """
        return dict(self.others)

    def check(self) -> None:
        """
        Check the parameters.

        Raises:
            Refusal: EINVAL, a content type where Dapr takes none, or a name twice where Dapr takes it once.
        """
        names = [name for name, _ in self.parameters]
        if self.kind is Kind.INVOKE:
            # The query of a URL may repeat a name.
            names = [name for name in names if name == _CONTENT_TYPE]
        elif self.kind not in {Kind.STATE, Kind.PUBLISH} and _CONTENT_TYPE in names:
            raise Refusal(EINVAL)
        if len(set(names)) < len(names):
            raise Refusal(EINVAL)


def inode_of(*names: str) -> int:
    """
    Return a number for a node that is made anew whenever it is looked up: the same for the same names.

    It is not 0, which a libc takes for an unknown number and asks again.
    """
    digest = hashlib.blake2b("\0".join(names).encode(), digest_size=7)
    return int.from_bytes(digest.digest(), "little") | 1
