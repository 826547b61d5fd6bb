"""What the functions of a pool need together."""

from __future__ import annotations

import dataclasses

import pytest

from wasm_grpc.core.model import (
    MIB,
    DaprGrants,
    EngineName,
    Grants,
    GuestKind,
    Inference,
    Limits,
    Model,
    Mount,
    MountEntry,
    PoolPolicy,
    ReuseKind,
    Runtime,
    WorkerFunction,
)
from wasm_grpc.core.settings import make_settings
from wasm_grpc.pool.functions import PoolFunction, kind_bytes, memory_notes
from wasm_grpc.pool.reach import Reach, reach_of
from wasm_grpc.pool.registry import WorkerKind

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


PYTHON = Runtime(EngineName.WASMTIME, "python")
FILE = Mount(guest="/data", entries=(MountEntry(path="file", host="/host/file"), MountEntry(path="folder")))
MODEL = Model(name="m", host="/host/model", size=1, sha256="")


@pytest.mark.parametrize(
    ("grants", "has_secrets", "kind"),
    [
        (Grants(), False, WorkerKind(PYTHON)),
        (Grants(dapr=DaprGrants(state=("store/*",))), False, WorkerKind(PYTHON)),
        (Grants(), True, WorkerKind(PYTHON, "f")),
        (Grants(dapr=DaprGrants(secrets=("store/*",))), False, WorkerKind(PYTHON, "f")),
        (Grants(mounts=(FILE,)), False, WorkerKind(PYTHON, "f")),
        (Grants(inference=Inference(models=(MODEL,))), False, WorkerKind(PYTHON, "f")),
        (Grants(inference=Inference(may_load=True)), True, WorkerKind(PYTHON, "f", is_exclusive=True)),
    ],
    ids=["nothing", "calls", "secrets", "secrets by Dapr", "files", "models", "models that guests bring"],
)
def test_who_shares_workers(grants: Grants, *, has_secrets: bool, kind: WorkerKind) -> None:
    """A function with secrets, files or models shares its workers with no other."""
    plain = function("f", engine=EngineName.WASMTIME, code=1, digest="1")
    granted = dataclasses.replace(plain.function, grants=grants)

    assert dataclasses.replace(plain, function=granted, has_secrets=has_secrets).kind == kind


def test_what_walls_leave_a_process() -> None:
    """It can open the files of the functions that it has still to load, and infers if any of them does."""
    loaded = WorkerFunction(name="a", guest=GuestKind.WASI_COMMAND, artifact="/cache/a", digest="")
    model = dataclasses.replace(MODEL, threads=2)
    later = dataclasses.replace(
        loaded,
        artifact="/cache/ü",
        grants=Grants(mounts=(FILE,), inference=Inference(models=(model,))),
    )

    reach = reach_of([loaded, later], to_load=[later])

    files = "/cache/ü\0/host/file\0/host/model\0".encode()
    assert reach == Reach(infers=True, has_threads=True, files=files)
    assert reach_of([loaded], to_load=[]) == Reach()


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
