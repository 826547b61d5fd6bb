"""The arguments of ``run --call``: texts, and values with a type in front."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasm_grpc.cli.typed_arguments import read_argument
from wasm_grpc.core.arguments import Argument
from wasm_grpc.core.errors import ConfigError

__all__ = []

FORMATS = {"u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q"}


def _integers(kind: str) -> st.SearchStrategy[int]:
    bits = int(kind[1:])
    least = 0 if kind[0] == "u" else -(1 << (bits - 1))
    return st.integers(min_value=least, max_value=least + (1 << bits) - 1)


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("hello", Argument(b"hello")),
        ("", Argument(b"")),
        ("http://x", Argument(b"http://x")),
        ("note: buy milk", Argument(b"note: buy milk")),
        ("i32", Argument(b"i32")),
        ("I32:5", Argument(b"I32:5")),
        ("i128:5", Argument(b"i128:5")),
        (":5", Argument(b":5")),
        ("[]:5", Argument(b"[]:5")),
        ("bytes:x", Argument(b"bytes:x")),
        ("f32[]:1", Argument(b"f32[]:1")),
        ("string:i32:5", Argument(b"i32:5")),
        ("string:", Argument(b"")),
        ("\N{EURO SIGN}", Argument(b"\xe2\x82\xac")),
        (os.fsdecode(b"\xff"), Argument(b"\xff")),
        ("i32:-5", Argument(b"\xfb\xff\xff\xff", 1, "i32")),
        ("u8:+7", Argument(b"\7", 1, "u8")),
        ("f64:1.5", Argument(struct.pack("<d", 1.5), 1, "f64")),
        ("f32:1e3", Argument(struct.pack("<f", 1000), 1, "f32")),
        ("f64:-inf", Argument(struct.pack("<d", float("-inf")), 1, "f64")),
        ("bool:true", Argument(b"\1", 1, "bool")),
        ("bool:false", Argument(b"\0", 1, "bool")),
        ("char:\N{GRINNING FACE}", Argument(b"\0\xf6\1\0", 1, "char")),
        ("char::", Argument(b":\0\0\0", 1, "char")),
        ("u16[]:1,65535", Argument(b"\1\0\xff\xff", 2, "u16[]")),
        ("i64[]:", Argument(b"", 0, "i64[]")),
        ("u8[]:1,2,3", Argument(b"\1\2\3", 3, "u8[]")),
    ],
)
def test_an_argument(text: str, argument: Argument) -> None:
    """A known type in front of a colon makes a value of it; anything else is a text."""
    assert read_argument(text) == argument


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u8:256", "u8: '256'; expected a whole number from 0 to 255"),
        ("u8:-1", "u8: '-1'; expected a whole number from 0 to 255"),
        ("i8:", "i8: ''; expected a whole number from -128 to 127"),
        ("i32:1.0", "i32: '1.0'; expected a whole number from -2147483648 to 2147483647"),
        ("i32:1_0", "i32: '1_0'; expected a whole number from -2147483648 to 2147483647"),
        (
            "i32:\N{ARABIC-INDIC DIGIT ONE}",
            "i32: '\u0661'; expected a whole number from -2147483648 to 2147483647",
        ),
        ("u64:" + "9" * 41, f"u64: '{'9' * 41}'; expected a whole number from 0 to 18446744073709551615"),
        ("u16[]:1,,2", "u16: ''; expected a whole number from 0 to 65535"),
        ("u16[]:1, 2", "u16: ' 2'; expected a whole number from 0 to 65535"),
        ("f64:one", "f64: 'one'; expected a number such as 1.5"),
        ("f32:1e39", "f32: '1e39'; expected a number such as 1.5"),
        ("bool:yes", "bool: 'yes'; expected true or false"),
        ("char:", "char: ''; expected one character"),
        ("char:ab", "char: 'ab'; expected one character"),
        ("char:" + os.fsdecode(b"\xff"), "char: '\\udcff'; expected one character"),
        ("bytes:@missing", "missing: No such file or directory; expected a readable file"),
    ],
)
def test_a_value_of_another_type(text: str, message: str) -> None:
    """One sentence names the type, the value and what was expected."""
    with pytest.raises(ConfigError) as caught:
        read_argument(text)

    assert str(caught.value) == f"--call: {message}"


def test_a_file(tmp_path: Path) -> None:
    """Its bytes are the argument."""
    (tmp_path / "photo").write_bytes(b"\xff\0")

    assert read_argument(f"bytes:@{tmp_path / 'photo'}") == Argument(b"\xff\0")


@given(
    st.sampled_from(sorted(FORMATS)).flatmap(lambda kind: st.tuples(st.just(kind), st.lists(_integers(kind))))
)
def test_numbers_survive_their_text(case: tuple[str, list[int]]) -> None:
    """An array is the little-endian bytes of its numbers."""
    kind, numbers = case

    argument = read_argument(f"{kind}[]:{','.join(map(str, numbers))}")

    assert argument == Argument(
        struct.pack(f"<{len(numbers)}{FORMATS[kind]}", *numbers), len(numbers), f"{kind}[]"
    )


@given(st.text().filter(lambda text: ":" not in text))
def test_a_text_without_a_colon_is_itself(text: str) -> None:
    """No text is taken for a value by accident."""
    try:
        expected = os.fsencode(text)
    except UnicodeEncodeError:
        return

    assert read_argument(text) == Argument(expected)
