"""Mangled names of functions, and what is shown for them."""

from __future__ import annotations

import pytest

from wasm_grpc.engines.names import demangle

NAMES = {
    "_start": "_start",
    "main.main": "main.main",
    "_ZN4core3fmt5write17h0123456789abcdefE": "core::fmt::write",
    "_ZN64_$LT$std..ffi..CStr$u20$as$u20$core..convert..AsRef$LT$T$GT$$GT$6as_ref17h0123456789abcdefE": (
        "<std::ffi::CStr as core::convert::AsRef<T>>::as_ref"
    ),
    "_ZN3foo3barEi": "foo::bar",
    "_ZNK3foo3barEv": "foo::bar",
    "_Z4facti": "fact",
    "_ZNSt6vectorIiE4pushEi": "_ZNSt6vectorIiE4pushEi",
    "_ZN9": "_ZN9",
    "_ZN4coreX": "_ZN4coreX",
    "_Z": "_Z",
    "_ZN9999ab": "_ZN9999ab",
    "": "",
}


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    """Rust's and plain C++ names become paths; all else stays as it is."""
    assert demangle(name) == NAMES[name]
