"""Names and parameters in a path below /dapr."""

from __future__ import annotations

import contextlib
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm_grpc.hosts.dapr.names import decode_name, encode_name, encode_parameters, split_parameters
from wasm_grpc.hosts.wasi.abi import EILSEQ, EINVAL
from wasm_grpc.hosts.wasi.refusal import Refusal

__all__ = []

TEXTS = st.text(st.characters(codec="utf-8"))


@given(TEXTS.filter(bool))
def test_a_name_survives_its_encoding(name: str) -> None:
    """Whatever a name is, it makes one component of a path, which leads back to it."""
    component = encode_name(name)

    assert decode_name(component) == name
    assert not set(b"/?\0") & set(component)
    assert component not in {b".", b".."}


@given(st.binary())
def test_any_text_decodes_or_is_refused(text: bytes) -> None:
    """A guest's text is a name that is not empty, or it is refused."""
    with contextlib.suppress(Refusal):
        assert decode_name(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b"orders%2F1", "orders/1"),
        (b"orders%2f1", "orders/1"),
        (b"%2E%2E", ".."),
        (b"a%00b", "a\0b"),
        (b"%25", "%"),
        (b"a%3Fb", "a?b"),
        (b"caf%C3%A9", "café"),
        ("café".encode(), "café"),
        (b"a+b", "a+b"),
        (b"%252F", "%2F"),
    ],
)
def test_a_name_is_decoded(text: bytes, name: str) -> None:
    """Each escape is decoded once."""
    assert decode_name(text) == name


@pytest.mark.parametrize(
    "text", [b"", b"%", b"a%2", b"%zz", b"%+1", b"% 1", b"%1 ", b"%_1", b"%%41", b"%\xff0"]
)
def test_text_that_is_no_name(text: bytes) -> None:
    """A "%" begins two hexadecimal digits, and a name is not empty."""
    with pytest.raises(Refusal) as refusal:
        decode_name(text)

    assert refusal.value.errno == EINVAL


@pytest.mark.parametrize("text", [b"%FF", b"\xff", b"%C3", b"%C0%AF", b"%ED%A0%80"])
def test_text_that_is_no_utf_8(text: bytes) -> None:
    """A name is UTF-8, without overlong forms and surrogates."""
    with pytest.raises(Refusal) as refusal:
        decode_name(text)

    assert refusal.value.errno == EILSEQ


@pytest.mark.parametrize(
    ("component", "name", "parameters"),
    [
        (b"k", b"k", ()),
        (b"k?", b"k", ()),
        (b"k?a=1", b"k", (("a", "1"),)),
        (b"k?a=1&b=", b"k", (("a", "1"), ("b", ""))),
        (b"k?a=b=c?d", b"k", (("a", "b=c?d"),)),
        (b"k%3Fx?content-type=text%2Fplain", b"k%3Fx", (("content-type", "text/plain"),)),
        (b"k?a%3Db=%26", b"k", (("a=b", "&"),)),
        (b"k?a=1&a=2", b"k", (("a", "1"), ("a", "2"))),
    ],
)
def test_parameters(component: bytes, name: bytes, parameters: object) -> None:
    """They begin at the first "?", and each is decoded by itself."""
    assert split_parameters(component) == (name, parameters)


@pytest.mark.parametrize("query", [b"a", b"&", b"a=1&", b"&a=1", b"a=1&&b=2", b"=1", b"a=%", b"%zz=1"])
def test_wrong_parameters(query: bytes) -> None:
    """Each is a name and a value, even if that is empty."""
    with pytest.raises(Refusal) as refusal:
        split_parameters(b"k?" + query)

    assert refusal.value.errno == EINVAL


@given(st.lists(st.tuples(TEXTS.filter(bool), TEXTS)))
def test_parameters_become_a_query(pairs: list[tuple[str, str]]) -> None:
    """A reader of URLs finds the same parameters."""
    query = encode_parameters(tuple(pairs))

    assert urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=bool(pairs)) == pairs
