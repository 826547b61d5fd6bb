"""Wasmtime over its C API, and what happens where that fails."""

from __future__ import annotations

import importlib.metadata
import logging

import pytest

from wasm_grpc.core.errors import EngineUnavailableError
from wasm_grpc.core.model import MIB, PAGE_BYTES
from wasm_grpc.engines.protocol import Context, GuestTrap

wasmtime = pytest.importorskip("wasmtime")

from wasm_grpc.engines.wasmtime import capi, opening  # noqa: E402
from wasm_grpc.engines.wasmtime.opening import WasmtimeApi, open_wasmtime  # noqa: E402
from wasm_grpc.engines.wasmtime.public import PublicEngine  # noqa: E402
from wasm_grpc.engines.wasmtime.settings import wasmtime_version  # noqa: E402


def _break_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(capi._FORMATS, "i64", "d8x")  # noqa: SLF001


def _break_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(wasmtime._bindings, "wasmtime_func_call_unchecked")  # noqa: SLF001


def _change_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "wasmtime_version", lambda: "51.0.0")


BREAKS = [_break_values, _break_function, _change_version]


@pytest.mark.parametrize("api", [WasmtimeApi.AUTO, WasmtimeApi.C])
def test_the_c_api_is_taken_where_it_works(api: WasmtimeApi) -> None:
    """By default, and when asked for, the fast path serves."""
    assert isinstance(open_wasmtime(api), capi.CApiEngine)


@pytest.mark.parametrize("change", BREAKS)
def test_a_broken_c_api_falls_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, change: object
) -> None:
    """Whatever is wrong with the private API, the public classes serve, and one warning says so."""
    assert callable(change)
    change(monkeypatch)

    engine = open_wasmtime()

    assert isinstance(engine, PublicEngine)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("change", BREAKS)
def test_a_broken_c_api_is_told_to_who_wants_it(monkeypatch: pytest.MonkeyPatch, change: object) -> None:
    """Asked for by name it is an error, not another engine."""
    assert callable(change)
    change(monkeypatch)

    with pytest.raises(EngineUnavailableError, match=r"^Wasmtime's C API does not work here: "):
        open_wasmtime(WasmtimeApi.C)


def test_both_apis_share_artifacts() -> None:
    """Name, version and target are the same on both, for either loads the other's artifacts."""
    fast, public = open_wasmtime(WasmtimeApi.C), open_wasmtime(WasmtimeApi.PUBLIC)
    wasm = b"\0asm\x01\0\0\0"

    assert (fast.name, fast.version, fast.target) == (public.name, public.version, public.target)
    assert fast.load(public.compile(wasm), {}).instantiate(Context(), memory_bytes=MIB).memory_bytes() == 0
    assert public.load(fast.compile(wasm), {}).instantiate(Context(), memory_bytes=MIB).memory_bytes() == 0


def test_a_module_that_the_pool_has_no_room_for_is_served_without_it() -> None:
    """A table larger than the pool's tables costs speed, and is no error."""
    engine = open_wasmtime(WasmtimeApi.C)
    wasm = bytes(wasmtime.wat2wasm('(module (memory (export "memory") 2) (table 50000 funcref))'))

    instance = engine.load(engine.compile(wasm), {}).instantiate(Context(), memory_bytes=MIB)

    assert instance.memory_bytes() == 2 * PAGE_BYTES


def test_the_pool_is_as_large_as_there_are_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without address space for the largest pool, a smaller one is used. An instance too many is a trap."""
    monkeypatch.setattr(capi, "_POOL_SIZES", (1 << 20, 3))
    engine = open_wasmtime(WasmtimeApi.C)
    wasm = bytes(wasmtime.wat2wasm('(module (memory (export "memory") 1))'))
    prepared = engine.load(engine.compile(wasm), {})
    live = [prepared.instantiate(Context(), memory_bytes=MIB) for _ in range(3)]

    with pytest.raises(GuestTrap, match=r"^maximum concurrent limit of 3 "):
        prepared.instantiate(Context(), memory_bytes=MIB)

    assert [instance.memory_bytes() for instance in live] == [PAGE_BYTES] * 3


def test_without_addresses_the_public_classes_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even a small pool's addresses can be had, Wasmtime serves without one."""
    monkeypatch.setattr(capi, "_POOL_SIZES", (1 << 20,))

    assert isinstance(open_wasmtime(), PublicEngine)


def test_the_version_is_that_of_the_installed_package() -> None:
    """The version in an artifact's key is what the package's metadata says."""
    assert wasmtime_version() == importlib.metadata.version("wasmtime")
