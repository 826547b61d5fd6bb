"""What the functions of a pool need together."""

from __future__ import annotations

import dataclasses

from wasm_grpc.core.model import (
    MIB,
    EngineName,
    Grants,
    GuestKind,
    Inference,
    Limits,
    Model,
    PoolPolicy,
    ReuseKind,
    Runtime,
    WorkerFunction,
)
from wasm_grpc.core.settings import make_settings
from wasm_grpc.pool.functions import PoolFunction, kind_bytes, memory_notes

SETTINGS = make_settings({"workers": 4})


def function(
    name: str, *, engine: EngineName, code: int, digest: str, model: int = 0, in_advance: int = 1
) -> PoolFunction:
    """Return a function with so many bytes of native code, and a model of so many."""
    models = (
        (Model(name="m", host="/m", size=1, sha256=name, threads=1, memory_bytes=model),) if model else ()
    )
    return PoolFunction(
        function=WorkerFunction(
            name=name,
            guest=GuestKind.WASI_COMMAND,
            artifact="",
            digest=digest,
            args=(),
            env=(),
            limits=Limits(),
            grants=Grants(inference=Inference(models=models)),
            prepared=True,
        ),
        runtime=Runtime(engine, "python"),
        policy=PoolPolicy(min=in_advance),
        code_bytes=code,
    )


def test_workers_that_this_machine_has_no_memory_for() -> None:
    """Only the engine that is too large is named, with the figures; equal modules count once."""
    functions = [
        function("a", engine=EngineName.WASMER, code=100 * MIB, digest="1"),
        function("b", engine=EngineName.WASMER, code=100 * MIB, digest="1", model=65 * MIB),
        function("c", engine=EngineName.WASMTIME, code=100 * MIB, digest="2"),
    ]
    # Two templates, the code once, the model in a template and in each worker, and four workers.
    needed = 40 + 300 + 5 * 65 + 4 * 6

    assert memory_notes(functions, SETTINGS, needed * MIB - 1) == [
        f"workers on wasmer need {needed} MiB to load what they serve: 300 MiB of native code and files "
        "once, and 4 times 65 MiB of models and of what is loaded later; this machine has "
        f"{needed} MiB, expected more, fewer --workers or fewer functions"
    ]


def test_what_is_loaded_later_is_loaded_by_each_worker() -> None:
    """Native code of a function with `min = 0` counts for the template and for each worker."""
    later = [function("a", engine=EngineName.WASMTIME, code=100 * MIB, digest="1", in_advance=0)]
    needed = 40 + 5 * 100 + 4 * 6

    assert memory_notes(later, SETTINGS, needed * MIB) == []
    assert len(memory_notes(later, SETTINGS, needed * MIB - 1)) == 1


def test_workers_that_fit_are_not_spoken_of() -> None:
    """Nor those on a machine whose memory isn't known."""
    functions = [function("a", engine=EngineName.WASMER, code=100 * MIB, digest="1")]

    assert memory_notes(functions, SETTINGS, 1340 * MIB) == []
    assert memory_notes(functions, SETTINGS, None) == []


def test_warm_instances_keep_their_memory() -> None:
    """A worker may take the memory of each warm function's instance beside what runs; a fresh one's is freed."""
    fresh = [function(name, engine=EngineName.WASMTIME, code=0, digest="1") for name in "abc"]
    warm = [
        dataclasses.replace(each, function=dataclasses.replace(each.function, reuse=ReuseKind.WARM))
        for each in fresh[:2]
    ]

    (with_warm,) = kind_bytes([*warm, fresh[2]], SETTINGS).values()
    (without,) = kind_bytes(fresh, SETTINGS).values()

    assert with_warm - without == 2 * Limits().memory_bytes
