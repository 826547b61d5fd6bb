"""
Protobuf's wire format, as far as it takes to count the fields of a message before it is parsed.

Parsed, an empty field of two bytes takes some hundred, and work for whoever reads or writes the message.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.message import Message

__all__ = ["has_more_fields"]

_VARINT: Final = 0
_LENGTH: Final = 2
_FIXED_BYTES: Final = {1: 8, 5: 4}
"""Length of a value, by its wire type."""
_VARINT_BYTES: Final = 10
_CONTINUES: Final = 0x80


def has_more_fields(data: bytes, message: type[Message], limit: int) -> bool:
    """
    Return whether a message, with the messages in it, has more fields than `limit`.

    What follows a fault in one of them is not counted: nobody parses it.

    Args:
        data: The message.
        message: Its type.
        limit: How many fields it may have.
    """
    left = limit
    todo: list[tuple[int, int, Any]] = [(0, len(data), message.DESCRIPTOR)]
    while todo:
        at, end, kind = todo.pop()
        try:
            while at < end:
                left -= 1
                if left < 0:
                    return True
                number, wire_type, at, after = _field(data, at)
                field = kind.fields_by_number.get(number)
                if wire_type == _LENGTH and field is not None and field.message_type is not None:
                    todo.append((at, min(after, end), field.message_type))
                at = after
        except IndexError:
            # It ends in the middle of a field.
            continue
    return False


def _field(data: bytes, at: int) -> tuple[int, int, int, int]:
    """
    Return the number and wire type of the field at an offset, where its value begins, and where it ends.

    Raises:
        IndexError: The data end before that, or a number is too long.
    """
    tag, at = _varint(data, at)
    wire_type = tag & 7
    if wire_type == _LENGTH:
        length, at = _varint(data, at)
        return tag >> 3, wire_type, at, at + length
    if wire_type == _VARINT:
        return tag >> 3, wire_type, at, _varint(data, at)[1]
    # The tags that begin and end a group have nothing behind them.
    return tag >> 3, wire_type, at, at + _FIXED_BYTES.get(wire_type, 0)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """
    Return the number at an offset, and the offset behind it.

    Raises:
        IndexError: The data end before that, or it is too long.
    """
    value = 0
    for shift in range(0, 7 * _VARINT_BYTES, 7):
        byte = data[at]
        at += 1
        value |= (byte & ~_CONTINUES) << shift
        if not byte & _CONTINUES:
            return value, at
    raise IndexError(at)
