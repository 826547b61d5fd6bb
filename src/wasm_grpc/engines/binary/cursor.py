"""A bounded cursor over bytes: integers in LEB128, names and vectors as the binary format has them."""

from __future__ import annotations

from wasm_grpc.core.errors import ModuleError

__all__ = ["Cursor", "encode_u32"]


class Cursor:
    """
    Reads forward through one range of a module and never beyond it.

    Every method raises `ModuleError` where the bytes end early or don't have the wanted form.
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
        The next byte.
        """
        if self.position >= self.end:
            raise self._truncated()
        value = self._source[self.position]
        self.position += 1
        return value

    def peek(self) -> int:
        """
        The next byte, left in place.
        """
        value = self.byte()
        self.position -= 1
        return value

    def u32(self) -> int:
        """
        An unsigned integer of at most 32 bits.
        """
        return self._leb128(32)

    def u64(self) -> int:
        """
        An unsigned integer of at most 64 bits.
        """
        return self._leb128(64)

    def s33(self) -> int:
        """
        A signed integer of at most 33 bits (a heap type).
        """
        value = 0
        for shift in range(0, 35, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value - (1 << (shift + 7)) if byte & 0x40 else value
        raise ModuleError(
            f"module has an overlong integer before byte {self.position}; expected a valid module"
        )

    def count(self, what: str, limit: int) -> int:
        """
        The length of a vector, which can't be over `limit`.
        """
        value = self.u32()
        if value > limit:
            raise ModuleError(f"module has {value} {what}; expected at most {limit}")
        return value

    def take(self, size: int) -> bytes:
        """
        The next `size` bytes.
        """
        if size > self.end - self.position:
            raise self._truncated()
        self.position += size
        return self._source[self.position - size : self.position]

    def name(self) -> str:
        """
        A name: length and UTF-8.
        """
        raw = self.take(self.u32())
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise ModuleError("module has a name that is not UTF-8; expected a valid module") from exc

    def since(self, begin: int) -> bytes:
        """
        What has been read from `begin` on.
        """
        return self._source[begin : self.position]

    def part(self, size: int) -> Cursor:
        """
        A cursor over the next `size` bytes, which this one skips.
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
                    break
                return value
            shift += 7
        raise ModuleError(
            f"module has an overlong integer before byte {self.position}; expected a valid module"
        )

    def _truncated(self) -> ModuleError:
        return ModuleError(f"module is cut off or damaged at byte {self.end}; expected a valid module")


def encode_u32(value: int) -> bytes:
    """
    LEB128 of an unsigned integer in the fewest bytes.
    """
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
