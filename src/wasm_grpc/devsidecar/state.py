"""The development sidecar's state: values with etags, as daprd keeps them in Redis."""

from __future__ import annotations

from dataclasses import dataclass, field

from dapr.proto.common.v1 import common_pb2

__all__ = ["EtagError", "EtagMismatchError", "FirstWriteError", "InvalidEtagError", "State", "Stored"]

_Options = common_pb2.StateOptions

_NO_ETAG = 0
"""What a write without an etag expects. Versions begin at 1."""


class EtagError(Exception):
    """
    A value that is not written or deleted, because of the etag.
    """


class EtagMismatchError(EtagError):
    """
    The value has another etag than the given one.
    """


class InvalidEtagError(EtagError):
    """
    No value has such an etag.
    """


class FirstWriteError(EtagError):
    """
    The value exists, was written with first-write concurrency, and no etag was given.
    """


@dataclass(frozen=True, slots=True)
class Stored:
    """
    A stored value.

    Attributes:
        data: The value.
        version: Number of writes since the key was created; the etag as text.
        is_first_write: Whether it was ever written with first-write concurrency.
    """

    data: bytes
    version: int
    is_first_write: bool


@dataclass(slots=True)
class State:
    """
    All values by app id, store and key.

    Source: the scripts ``setDefaultQuery`` and ``delDefaultQuery`` of Dapr's component ``state.redis``.
    """

    _values: dict[tuple[str, str, str], Stored] = field(default_factory=dict)

    def get(self, place: tuple[str, str, str]) -> Stored | None:
        """
        Return a value; ``None`` if the key doesn't exist.
        """
        return self._values.get(place)

    def save(
        self,
        place: tuple[str, str, str],
        data: bytes,
        *,
        etag: str,
        concurrency: _Options.StateConcurrency.ValueType,
    ) -> None:
        """
        Store a value.

        Args:
            place: App id, store and key.
            data: The value.
            etag: The etag that an existing value must have; "" for none.
            concurrency: With last-write, the etag is ignored. After first-write, a write needs the etag.

        Raises:
            EtagError: It is not stored.
        """
        is_last_write = concurrency == _Options.CONCURRENCY_LAST_WRITE
        expected = _NO_ETAG if is_last_write or not etag else _version(etag)
        old = self._values.get(place)
        if old is not None and expected != old.version and (old.is_first_write or expected != _NO_ETAG):
            if etag:
                raise EtagMismatchError("the value has another etag")
            raise FirstWriteError("the value exists, and no etag was given")
        is_first_write = concurrency == _Options.CONCURRENCY_FIRST_WRITE
        self._values[place] = Stored(
            data,
            1 if old is None else old.version + 1,
            is_first_write or (old is not None and old.is_first_write),
        )

    def delete(self, place: tuple[str, str, str], *, etag: str) -> None:
        """
        Delete a value. A missing key is not an error.

        Raises:
            EtagError: It exists and has another etag.
        """
        old = self._values.get(place)
        if old is not None and etag not in {"", str(_NO_ETAG), str(old.version)}:
            raise EtagMismatchError("the value has another etag")
        self._values.pop(place, None)


def _version(etag: str) -> int:
    try:
        return int(etag)
    except ValueError:
        raise InvalidEtagError(f"etag {etag!r} is not a number") from None
