"""Percent-encoded names in a path below ``/dapr``, and the parameters behind them."""

from __future__ import annotations

import re
from typing import Final

from wasm_grpc.hosts.wasi.abi import EILSEQ, EINVAL
from wasm_grpc.hosts.wasi.refusal import Refusal

__all__ = ["Parameters", "decode_name", "encode_name", "encode_parameters", "split_parameters"]

Parameters = tuple[tuple[str, str], ...]
"""The decoded ``name=value`` pairs behind a name, in their order."""

_ESCAPE: Final = re.compile(rb"%(..?)?", re.DOTALL)
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")
_SPECIAL_IN_NAME: Final = re.compile(r"[\x00-\x1f\x7f/%?]")
_SPECIAL_IN_QUERY: Final = re.compile(r"[^A-Za-z0-9._~-]")


def decode_name(text: bytes) -> str:
    """
    Return what a percent-encoded text stands for.

    Raises:
        Refusal: EINVAL, it is empty, or a "%" begins no escape; EILSEQ, it does not decode to UTF-8.
    """
    name = _decode(text)
    if not name:
        raise Refusal(EINVAL)
    return name


def encode_name(name: str) -> bytes:
    """
    Return a name as one component of a path. `decode_name` returns the name again.

    Encoded are "/", "%", "?" and control characters, and the dots of the names "." and "..".
    """
    if name in {".", ".."}:
        return name.replace(".", "%2E").encode()
    return _SPECIAL_IN_NAME.sub(_escape, name).encode()


def encode_parameters(parameters: Parameters) -> str:
    """
    Return parameters as the query of a URL.
    """
    return "&".join(
        f"{_SPECIAL_IN_QUERY.sub(_escape, name)}={_SPECIAL_IN_QUERY.sub(_escape, value)}"
        for name, value in parameters
    )


def split_parameters(component: bytes) -> tuple[bytes, Parameters]:
    """
    Split a component of a path at its first "?" into the name, still encoded, and the decoded parameters.

    Raises:
        Refusal: EINVAL or EILSEQ, as `decode_name`; EINVAL, a parameter has no "=" or no name.
    """
    name, _, query = component.partition(b"?")
    return name, tuple(_parameter(pair) for pair in query.split(b"&")) if query else ()


def _parameter(pair: bytes) -> tuple[str, str]:
    name, equals, value = pair.partition(b"=")
    if not equals:
        raise Refusal(EINVAL)
    return decode_name(name), _decode(value)


def _decode(text: bytes) -> str:
    try:
        return _ESCAPE.sub(_unescape, text).decode()
    except UnicodeDecodeError:
        raise Refusal(EILSEQ) from None


def _unescape(escape: re.Match[bytes]) -> bytes:
    digits = escape[1] or b""
    # `int` would also take a sign, a space or an underscore.
    if len(digits) != len("00") or not _HEX.issuperset(digits):
        raise Refusal(EINVAL)
    return bytes((int(digits, 16),))


def _escape(character: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in character[0].encode())
