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
    "_ZNSt6vectorIiE4pushEi": "std::vector::push",
    "_ZNSt3__16vectorIiNS_9allocatorIiEEE9push_backB8ne190107EOi": "std::__1::vector::push_back",
    "_ZNSt6vectorIiSaIiEE9push_backEOi": "std::vector::push_back",
    "_ZNSt5arrayIiLm3EE2atEm": "std::array::at",
    "_ZN3fooC2Ev": "foo::foo",
    "_ZN3foo3barD0Ev": "foo::bar::~bar",
    "_ZN3foo3barD2Ev": "foo::bar::~bar",
    "_ZL6helperi": "helper",
    "_ZSt4sortIPiEvT_S1_": "std::sort",
    "_Z3maxIiET_S0_S0_": "max",
    "_ZN12_GLOBAL__N_13runEv": "_GLOBAL__N_1::run",
    "_ZNSt": "_ZNSt",
    "_ZNSt6vectorIi": "_ZNSt6vectorIi",
    "_ZNSt6vectorI99999999E": "_ZNSt6vectorI99999999E",
    "_RNvNtCsgEmfK2I1SDS_4core9panicking9panic_fmt": "core::panicking::panic_fmt",
    "_RNvXs_NtCs4Jz2Mtfmu5I_1v1mNtB4_1SNtNtCsgEmfK2I1SDS_4core3fmt7Display3fmt": (
        "<v::m::S as core::fmt::Display>::fmt"
    ),
    "_RNvMNtCs4Jz2Mtfmu5I_1v1mNtB2_1S1g": "v::m::S::g",
    "_RINvNtCs4Jz2Mtfmu5I_1v1m1fhEB4_": "v::m::f",
    "_RNCNvCs4Jz2Mtfmu5I_1v4main0B3_": "v::main::{closure}",
    "_RNvCs4Jz2Mtfmu5I_1vu7caf_dma": "v::café",
    "_RNvB_": "_RNvB_",
    "_RNvMs_B1_": "_RNvMs_B1_",
    "_R": "_R",
    "_RaiseException": "_RaiseException",
    "_RNv" * 5000: "_RNv" * 5000,
    "_ZN9": "_ZN9",
    "_ZN4coreX": "_ZN4coreX",
    "_Z": "_Z",
    "_ZN9999ab": "_ZN9999ab",
    "": "",
}


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    """Rust's and C++ names become paths; all else stays as it is."""
    assert demangle(name) == NAMES[name]
