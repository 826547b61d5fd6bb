"""A bounded cursor over bytes: LEB128 integers, names and vectors of the binary format."""

from __future__ import annotations

from wasm_grpc.core.errors import ModuleError

__all__ = ["Cursor", "encode_u32"]


class Cursor:
    """
    Reads forward through one range of a module, and never beyond it.

    Every method raises `ModuleError` if the bytes end early or are malformed.
    """

    __slots__ = ("_source", "end", "position")

    def __init__(self, source: bytes, position: int, end: int) -> None:
        self._source = source
        self.position = position
        self.end = end

    @property
    def is_at_end(self) -> bool:
        """
        Whether nothing is left to read.
        """
        return self.position >= self.end

    def byte(self) -> int:
        """
        Return the next byte.
        """
        if self.position >= self.end:
            raise self._truncated()
        value = self._source[self.position]
        self.position += 1
        return value

    def peek(self) -> int:
        """
        Return the next byte without consuming it.
        """
        value = self.byte()
        self.position -= 1
        return value

    def u32(self) -> int:
        """
        Return an unsigned integer of at most 32 bits.
        """
        return self._leb128(32)

    def u64(self) -> int:
        """
        Return an unsigned integer of at most 64 bits.
        """
        return self._leb128(64)

    def s33(self) -> int:
        """
        Return a signed integer of at most 33 bits (a heap type).
        """
        value = 0
        # 33 bits take at most five bytes of seven bits each.
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                # Bit 6 of the last byte is the sign.
                return value - (1 << (shift + 7)) if byte & 0x40 else value
        raise ModuleError(
            f"module has an overlong integer before byte {self.position}; expected a valid module"
        )

    def count(self, what: str, limit: int) -> int:
        """
        Return the length of a vector. Raises an error if it exceeds `limit`.
        """
        value = self.u32()
        if value > limit:
            raise ModuleError(f"module has {value} {what}; expected at most {limit}")
        return value

    def take(self, size: int) -> bytes:
        """
        Return the next `size` bytes.
        """
        if size > self.end - self.position:
            raise self._truncated()
        self.position += size
        return self._source[self.position - size : self.position]

    def name(self) -> str:
        """
        Return a name: a length, then UTF-8.
        """
        raw = self.take(self.u32())
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise ModuleError("module has a name that is not UTF-8; expected a valid module") from exc

    def since(self, begin: int) -> bytes:
        """
        Return the bytes read since position `begin`.
        """
        return self._source[begin : self.position]

    def part(self, size: int) -> Cursor:
        """
        Return a cursor over the next `size` bytes, and skip them here.
        """
        begin = self.position
        if size > self.end - begin:
            raise self._truncated()
        self.position += size
        return Cursor(self._source, begin, begin + size)

    def _leb128(self, bits: int) -> int:
        value = shift = 0
        while shift < bits:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> bits:
                    break  # the last byte has bits beyond the integer's width
                return value
            shift += 7
        raise ModuleError(
            f"module has an overlong integer before byte {self.position}; expected a valid module"
        )

    def _truncated(self) -> ModuleError:
        return ModuleError(f"module is cut off or damaged at byte {self.end}; expected a valid module")


def encode_u32(value: int) -> bytes:
    """
    Return the shortest LEB128 encoding of an unsigned integer.
    """
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
