"""What is measured: the servers, and the loads that each of them gets."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.functions import LARGEST_BODY_BYTES
from benchmarks.machine import cores
from benchmarks.pictures import paint_photo
from wasm_grpc.core.model import KIB, MIB

__all__ = [
    "ANEW",
    "BARE",
    "Case",
    "Subject",
    "anew_subject",
    "classify_subjects",
    "make_cases",
    "native_subjects",
    "our_subject",
]

_CALLERS = (1, 16)
_BODY_CALLERS = (1, 4)
_ECHO_BYTES = {"64 B": 64, "64 KiB": 64 * KIB}
_BODY_BYTES = {"4 MiB": 4 * MIB, "64 MiB": LARGEST_BODY_BYTES}

BARE = "bare"
"""Key of the server that only echoes."""
_PILLOW = ("pillow-dapr", "pillow-pool")
_LITERT = "litert-pool"
ANEW = "anew"
"""Key of the server that makes everything anew for each request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """
    A server under load.

    Attributes:
        key: Its name in results.
        title: Its name for people.
        command: Starts it.
        is_ours: It runs WebAssembly.
    """

    key: str
    title: str
    command: Sequence[str]
    is_ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    One load.

    Attributes:
        part: What it belongs to, of those that can be measured on their own.
        name: Of the function and what it gets.
        method: The function that is called.
        body: What every call sends.
        callers: Calls at a time.
        baselines: Keys of the subjects that ours are compared with: the fastest of them counts.
        slow: Those of them that are measured in the first round only.
    """

    part: str
    name: str
    method: str
    body: bytes
    callers: int
    baselines: tuple[str, ...]
    slow: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """
        Its name for people.
        """
        return f"{self.name}, {self.callers} {'caller' if self.callers == 1 else 'callers'}"

    def takers(self, subjects: Iterable[Subject]) -> list[Subject]:
        """
        Return those that it is put on.
        """
        return [subject for subject in subjects if subject.is_ours or subject.key in self.baselines]


def our_subject(engine: str, folder: str = "functions") -> Subject:
    """
    Return our server on one engine, with the functions of a folder.
    """
    command = (sys.executable, "-m", "wasm_grpc", "serve", folder, "--port=0", f"--engine={engine}")
    return Subject(key=engine, title=f"wasm_grpc, {engine}", command=command, is_ours=True)


def native_subjects() -> tuple[Subject, ...]:
    """
    Return the servers without WebAssembly.
    """
    return (
        _app(BARE, "bare grpc.aio", "bare_echo"),
        _app(_PILLOW[0], "Pillow, Dapr SDK's App", "pillow_dapr"),
        _app(_PILLOW[1], "Pillow, grpc.aio + processes", "pillow_pool"),
    )


def classify_subjects(model: Path, labels: Path, functions: Path) -> tuple[Subject, ...]:
    """
    Return what classify is compared with.

    Args:
        model: What the native app runs.
        labels: Its labels.
        functions: Folder of the functions, for the app that makes everything anew.
    """
    return (
        _app(_LITERT, "Pillow, litert + processes", "litert_pool", str(model), str(labels)),
        anew_subject(str(functions)),
    )


def anew_subject(folder: str) -> Subject:
    """
    Return the server that makes everything anew for each request, with the functions of a folder.
    """
    return _app(ANEW, "all anew each request", "anew", folder, str(cores()))


def make_cases(parts: Collection[str], pictures: Sequence[Path]) -> list[Case]:
    """
    Return the loads of some parts.

    Args:
        parts: Of these, "echo", "bodies", "grayscale" and "classify" count.
        pictures: Further pictures beside the painted one.
    """
    found: list[Case] = []
    if "echo" in parts:
        found += _at_each(_echoes(_ECHO_BYTES), "echo", (BARE,))
    if "bodies" in parts:
        found += _at_each(_echoes(_BODY_BYTES), "echo", (BARE,), part="bodies", callers=_BODY_CALLERS)
    if "grayscale" in parts:
        bodies = {"grayscale 480x360": paint_photo()}
        bodies |= {f"grayscale {path.name}": path.read_bytes() for path in pictures}
        found += _at_each(bodies, "grayscale", _PILLOW)
    if "classify" in parts:
        bodies = {"classify 480x360": paint_photo()}
        bodies |= {f"classify {path.name}": path.read_bytes() for path in pictures}
        found += [
            # Seconds a request: where all cores are busy is enough.
            dataclasses.replace(case, baselines=(_LITERT, ANEW), slow=(ANEW,))
            if case.callers == max(_CALLERS)
            else case
            for case in _at_each(bodies, "classify", (_LITERT,))
        ]
    return found


def _echoes(sizes: Mapping[str, int]) -> dict[str, bytes]:
    return {f"echo {name}": b"0123456789abcdef" * (size // 16) for name, size in sizes.items()}


def _at_each(
    bodies: Mapping[str, bytes],
    method: str,
    baselines: tuple[str, ...],
    *,
    part: str = "",
    callers: Sequence[int] = _CALLERS,
) -> list[Case]:
    return [
        Case(part=part or method, name=name, method=method, body=body, callers=number, baselines=baselines)
        for name, body in bodies.items()
        for number in callers
    ]


def _app(key: str, title: str, module: str, *args: str) -> Subject:
    command = (sys.executable, "-m", f"benchmarks.apps.{module}", *args)
    return Subject(key=key, title=title, command=command)
