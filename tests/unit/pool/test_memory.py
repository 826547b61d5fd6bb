"""How much memory a worker may take for its functions and their models."""

from __future__ import annotations

from wasm_grpc.core.model import MIB, EngineName, GuestKind, Inference, Limits, Model, WorkerFunction
from wasm_grpc.core.settings import make_settings
from wasm_grpc.pool.memory import code_bytes, guest_bytes, models_bytes, pictures_bytes, worker_bytes

__all__ = []


def model(digest: str, memory: int, *, threads: int = 1) -> Model:
    """Return a model that takes so much memory."""
    return Model(name="m", host="/m", size=1, sha256=digest, threads=threads, memory_bytes=memory)


def test_a_model_counts_once() -> None:
    """Ten functions that name one model need it once; other contents or threads are another's."""
    same = [Inference(models=(model("a", 7 * MIB),)) for _ in range(10)]

    assert models_bytes(same) == 7 * MIB
    assert models_bytes([*same, Inference(models=(model("b", MIB), model("a", MIB, threads=2)))]) == 9 * MIB


def test_models_that_guests_bring_have_room() -> None:
    """256 MiB for all of them, however many functions may bring some."""
    assert models_bytes([Inference(may_load=True)] * 3) == 256 * MIB
    assert models_bytes([Inference()]) == 0


def test_models_are_part_of_a_worker() -> None:
    """What models take is added to the worker's own, its guests' and its traffic's."""
    settings = make_settings({})
    limits = [Limits()]

    with_models = worker_bytes(limits, settings, models_bytes=5 * MIB)

    assert with_models - worker_bytes(limits, settings) == 5 * MIB


def test_pictures_have_room_for_the_largest() -> None:
    """16 bytes for each of the pixels that fit into a guest's memory at 4, a copy of the file, and the libraries."""

    def function(memory_bytes: int, *imports: str) -> WorkerFunction:
        limits = Limits(memory_bytes=memory_bytes)
        kind = GuestKind.WASI_COMMAND
        return WorkerFunction(name="f", guest=kind, artifact="", digest="", limits=limits, imports=imports)

    small, large = function(8 * MIB, "wasmedge_image"), function(64 * MIB, "env", "wasmedge_image")

    assert pictures_bytes([function(64 * MIB, "wasi_snapshot_preview1")]) == 0
    assert pictures_bytes([small, large, small]) == (4 * 64 + 64 + 112) * MIB


def test_pictures_are_part_of_a_worker() -> None:
    """What decoding takes is added to the rest."""
    settings = make_settings({})

    assert worker_bytes([Limits()], settings, pictures_bytes=MIB) - worker_bytes([Limits()], settings) == MIB


def test_native_code_counts_once_a_digest() -> None:
    """What stays of each artifact, and what loading the largest takes on top."""
    large = (EngineName.WASMER, "a", 10 * MIB)

    assert code_bytes([]) == 0
    assert code_bytes([large] * 8) == (3 * 10 + 3 * 10) * MIB
    assert code_bytes([large, (EngineName.WASMTIME, "b", MIB)]) == (3 * 10 + 1 + 3 * 10) * MIB


def test_native_code_is_part_of_a_worker() -> None:
    """It is added to the rest."""
    settings = make_settings({})

    assert worker_bytes([Limits()], settings, code_bytes=MIB) - worker_bytes([Limits()], settings) == MIB


def test_guests_may_take_what_their_native_code_allows() -> None:
    """Native code for 257 MiB allows 288 MiB. Two instances have it, and scratch is counted twice."""
    limits = Limits(memory_bytes=257 * MIB, scratch_bytes=5 * MIB)

    assert guest_bytes(limits) == 2 * (288 + 5) * MIB


def test_a_worker_has_room_for_the_largest_guests() -> None:
    """It runs one function at a time, so functions of a smaller limit need no memory of their own."""
    settings = make_settings({})
    small, large = Limits(), Limits(memory_bytes=256 * MIB)

    assert worker_bytes([small, large], settings) == worker_bytes([large], settings)
