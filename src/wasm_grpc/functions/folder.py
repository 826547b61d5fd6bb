"""The functions of a folder: found, read and checked against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from wasm_grpc.core.errors import ConfigError, ManifestError
from wasm_grpc.functions.document import MANIFEST_NAME, Document, DocumentReader
from wasm_grpc.functions.function import Function, read_module
from wasm_grpc.functions.topic_checks import subscription_problems
from wasm_grpc.functions.wording import closest, enumerate_names

__all__ = ["read_functions"]

_EXPECTED = f"a folder of functions, each with a {MANIFEST_NAME}, or one function's own folder"


def read_functions(folder: Path, only: Sequence[str] = ()) -> tuple[Function, ...]:
    """
    Read every function below a folder, sorted by their folders' names.

    Args:
        folder: Holds the functions' folders, or is one function's own. Folders that begin with
            "." are passed over.
        only: Names of the functions wanted; the others may be wrong. All if empty.

    Raises:
        ManifestError: Something is wrong with what was wanted; names every fault of every file.
        ConfigError: There is nothing to read, or a wanted function doesn't exist.
    """
    documents = _read_documents(folder)
    if only:
        _check_known(only, [document.name for _, document in documents])
        documents = [(place, document) for place, document in documents if document.name in only]
    problems: list[str] = []
    functions: list[Function] = []
    for place, document in documents:
        problems += [f"{place.name}/{MANIFEST_NAME}: {problem}" for problem in document.problems]
        if document.manifest is not None:
            functions.append(Function(folder=place, manifest=document.manifest))
    problems += _module_problems(functions)
    problems += _repeated_names(functions)
    problems += _repeated_methods(functions)
    problems += subscription_problems(functions)
    if problems:
        raise ManifestError(problems)
    return tuple(functions)


def _read_documents(folder: Path) -> list[tuple[Path, Document]]:
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "no such folder"
        raise ConfigError(f"{folder}: {what}; expected {_EXPECTED}")
    try:
        places = list(_function_folders(folder.resolve()))
    except OSError as exc:
        raise ConfigError(f"{folder}: can't be read: {exc.strerror}; expected {_EXPECTED}") from exc
    if not places:
        raise ConfigError(f"{folder}: no {MANIFEST_NAME} here or one folder below; expected {_EXPECTED}")
    reader = DocumentReader()
    return [(place, reader.read(place)) for place in places]


def _function_folders(folder: Path) -> Iterator[Path]:
    if (folder / MANIFEST_NAME).exists():
        yield folder
        return
    for place in sorted(folder.iterdir()):
        # A module without its manifest was meant to be served: reading it says what is missing.
        is_function = (place / MANIFEST_NAME).exists() or any(place.glob("*.wasm"))
        if is_function and not place.name.startswith("."):
            yield place


def _check_known(only: Sequence[str], names: Sequence[str]) -> None:
    for name in only:
        if name not in names:
            near = closest(name, names)
            hint = f"did you mean {near!r}?" if near else f"expected {enumerate_names(names)}"
            raise ConfigError(f"--only {name}: no function has this name; {hint}")


def _module_problems(functions: Sequence[Function]) -> Iterator[str]:
    for function in functions:
        if function.is_remote:
            continue
        try:
            read_module(function)
        except ManifestError as exc:
            yield from exc.problems


def _repeated_names(functions: Sequence[Function]) -> Iterator[str]:
    seen: dict[str, Function] = {}
    for function in functions:
        first = seen.setdefault(function.name, function)
        if first is not function:
            where = f"{first.folder.name}/{MANIFEST_NAME}"
            yield function.blame(f"name: {function.name!r} is also the name in {where}; expected another")


def _repeated_methods(functions: Sequence[Function]) -> Iterator[str]:
    seen: dict[str, Function] = {}
    for function in functions:
        for index, trigger in enumerate(function.manifest.trigger.invoke):
            method = str(trigger.method)
            first = seen.get(method)
            seen.setdefault(method, function)
            if first is not None:
                key = f"trigger.invoke[{index}].method"
                whose = "this function" if first is function else f"function {first.name!r}"
                yield function.blame(f"{key}: {method!r} is already served by {whose}; expected another")
