"""Who is compared: ours, and each other way to answer the same calls behind the same daprd."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.cases import our_subject
from benchmarks.field.builds import Built
from benchmarks.field.layout import Ground
from benchmarks.machine import cores

__all__ = ["BINDING", "GO", "NATIVE", "SDK", "Peer", "all_peers"]

BINDING, GO, SDK, ANEW = "bindings-wasm", "go-wazero", "sdk-wasmtime", "anew"
"""Keys of the peers that run WebAssembly."""
NATIVE = ("native-aio", "native-sdk")
"""Keys of those that run none."""

_THREADS = 10
"""The SDK's own number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """
    One way to answer calls.

    Attributes:
        key: Its name in results.
        title: Its name for people.
        command: Starts its server; empty where daprd itself runs the modules.
        modules: What daprd itself runs, by the name of the component.
        methods: What it can answer.
        slow: Those of them that are measured in the first round only.
        env: Variables of its server and its daprd.
        is_ours: It is wasm_grpc.
    """

    key: str
    title: str
    command: Sequence[str] = ()
    modules: Mapping[str, Path] = field(default_factory=dict)
    methods: Collection[str]
    slow: Collection[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    is_ours: bool = False


def all_peers(engines: Sequence[str], built: Built, ground: Ground, *, workers: int = 0) -> list[Peer]:
    """
    Return the peers that this machine can run, ours first.

    Args:
        engines: Ours.
        built: The programs that were built.
        ground: What they serve.
        workers: How much each may do at once, in its own way to say so; 0 leaves it at its default.
    """
    without_models = [name for name in ground.methods if name != "classify"]
    modules = {name: ground.modules / f"{name}.wasm" for name in without_models}
    go_env = {"GOMAXPROCS": str(workers)} if workers else {}
    peers = [_ours(engine, ground, workers) for engine in engines]
    if built.has_binding:
        title = "Dapr's bindings.wasm"
        peers.append(Peer(key=BINDING, title=title, modules=modules, methods=without_models, env=go_env))
    if built.go_app is not None:
        command = (str(built.go_app), str(ground.modules))
        peers.append(
            Peer(key=GO, title="Go app on wazero", command=command, methods=without_models, env=go_env)
        )
    peers += [
        Peer(
            key=SDK,
            title="Dapr SDK + wasmtime",
            command=_app("wasmtime_dapr", ground.modules, workers or _THREADS),
            methods=without_models,
        ),
        Peer(
            key=ANEW,
            title="all anew each request",
            command=_app("anew", ground.functions, workers or cores()),
            methods=ground.methods,
            slow=("grayscale", "classify"),
        ),
    ]
    if ground.model is not None and ground.labels is not None:
        aio, sdk = NATIVE
        model = (ground.model, ground.labels)
        peers += [
            Peer(
                key=aio,
                title="native, grpc.aio",
                command=_app("native_aio", *model, workers or cores()),
                methods=ground.methods,
            ),
            Peer(
                key=sdk,
                title="native, Dapr SDK",
                command=_app("native_dapr", *model, workers or _THREADS),
                methods=ground.methods,
            ),
        ]
    return peers


def _ours(engine: str, ground: Ground, workers: int) -> Peer:
    subject = our_subject(engine, str(ground.functions))
    more = (f"--workers={workers}",) if workers else ()
    return Peer(
        key=subject.key,
        title=f"wasm_grpc, {engine.title()}",
        command=(*subject.command, *more),
        methods=ground.methods,
        is_ours=True,
    )


def _app(module: str, *args: object) -> Sequence[str]:
    return (sys.executable, "-m", f"benchmarks.apps.{module}", *map(str, args))
