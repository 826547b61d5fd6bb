"""The wire version: it changes with every change of a message."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import typing
from collections.abc import Iterator
from typing import Any

from wasm_grpc.core.wire import WIRE_VERSION, Message

__all__ = []

FINGERPRINTS = {
    7: "13ed323ab38f7d91",
    8: "1e5b10465ad59a23",
    9: "4790d3e823307112",
    10: "ed22f89e11e4cd2b",
    11: "7a22de32eaf44aba",
    12: "af298311f75d9d47",
    13: "335b57b363c3f4fc",
    14: "ab4a4dc6e795f6fe",
}
"""What `fingerprint` returned in each version. Add a line for a new version, and leave the others."""


def classes_in(hint: Any) -> Iterator[Any]:
    """Yield the dataclasses and enumerations that a type consists of, at any depth."""
    for argument in typing.get_args(hint):
        yield from classes_in(argument)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        yield hint
    elif isinstance(hint, type) and dataclasses.is_dataclass(hint):
        yield hint
        hints = typing.get_type_hints(hint)
        for field in dataclasses.fields(hint):
            yield from classes_in(hints[field.name])


def description(cls: Any) -> str:
    """Return the fields of a dataclass with their types, or the members of an enumeration, in their order."""
    if issubclass(cls, enum.Enum):
        parts = [str(member.value) for member in cls]
    else:
        # The types as the source has them: Python's own form of a union differs between versions.
        kind = f"kind={cls.kind.value}" if hasattr(cls, "kind") else ""
        parts = [kind, *(f"{field.name}: {field.type}" for field in dataclasses.fields(cls))]
    return f"{cls.__name__}({', '.join(parts)})"


def fingerprint() -> str:
    """Return a digest of all fields of all messages."""
    lines = sorted(set(map(description, classes_in(Message))))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def test_a_change_of_a_message_changes_the_wire_version() -> None:
    """A process of another version would misread a message, so `WIRE_VERSION` says that it changed."""
    found = fingerprint()

    assert FINGERPRINTS.get(WIRE_VERSION) == found, (
        f"the messages changed: increase WIRE_VERSION, and add {found!r} here for the new version"
    )
