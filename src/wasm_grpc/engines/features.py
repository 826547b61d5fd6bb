"""Name the WebAssembly feature that an engine's parser refuses, from the parser's message."""

from __future__ import annotations

import re

__all__ = ["describe_feature"]

_FEATURES: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"legacy_exceptions"),
        "legacy exceptions; expected standard ones (clang: -mllvm -wasm-use-legacy-eh=false)",
    ),
    (re.compile(r"Exceptions support|[Oo]pcode: 0x1f"), "exceptions; expected a build without them"),
    (
        re.compile(r"gc feature"),
        "garbage-collected types (GC); expected a language that compiles to its own heap",
    ),
    (re.compile(r"stack switching"), "stack switching; expected a build without it"),
    (
        re.compile(r"[Ii]nvalid type|leading byte in type"),
        "types of GC or typed function references; expected a build without them",
    ),
    (re.compile(r"threads"), "threads or atomics; expected a build without them (no -pthread)"),
    (re.compile(r"memory64"), "a 64-bit memory; expected target wasm32"),
    (re.compile(r"multiple memories"), "several memories; expected one"),
    (
        re.compile(r"page size|resizable limits flags"),
        "memory pages of another size; expected pages of 64 KiB",
    ),
    (re.compile(r"tail calls"), "tail calls; expected a build without them (clang: -mno-tail-call)"),
    (
        re.compile(r"0xfd sub-?opcode: 0x1"),
        "relaxed SIMD; expected a build without it (clang: -mno-relaxed-simd)",
    ),
    (
        re.compile(r"only one init_expr"),
        "extended constant expressions; expected a build without them (clang: -mno-extended-const)",
    ),
)


def describe_feature(text: str) -> str:
    """
    Return the feature and the remedy, followed by the parser's message. Return only the message if unknown.
    """
    for words, feature in _FEATURES:
        if words.search(text):
            return f"{feature} ({text})"
    return text
