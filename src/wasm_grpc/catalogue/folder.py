"""Find the functions of a folder, read them and check them against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wasm_grpc.catalogue.function import Function, read_module
from wasm_grpc.catalogue.topic_checks import subscription_problems
from wasm_grpc.core.errors import ConfigError, ManifestError
from wasm_grpc.manifest.document import Document, DocumentReader
from wasm_grpc.manifest.layout import MANIFEST_NAME
from wasm_grpc.manifest.wording import closest, enumerate_names

__all__ = ["Survey", "by_folder", "read_functions", "survey_functions"]

_EXPECTED = f"a folder of functions, each with a {MANIFEST_NAME}, or one function's own folder"


@dataclass(frozen=True, slots=True)
class Survey:
    """
    What was found below a folder.

    Attributes:
        functions: Functions whose manifest and module can be read, sorted by the names of their folders.
        problems: Every fault of every file, in the same order. Readable functions may have faults too.
    """

    functions: tuple[Function, ...]
    problems: tuple[str, ...]


def by_folder(problems: Iterable[str]) -> list[str]:
    """
    Sort lines ``<folder>/<file>: <problem>`` by folder. Lines of one folder keep their order.
    """
    return sorted(problems, key=lambda line: line.split("/", 1)[0])


def read_functions(folder: Path, only: Sequence[str] = ()) -> tuple[Function, ...]:
    """
    Read every function below a folder, sorted by the names of their folders.

    Raises:
        ManifestError: A wanted function has a fault. The error lists every fault of every file.
        ConfigError: See `survey_functions`.
    """
    survey = survey_functions(folder, only)
    if survey.problems:
        raise ManifestError(survey.problems)
    return survey.functions


def survey_functions(folder: Path, only: Sequence[str] = ()) -> Survey:
    """
    Read every function below a folder, and check them against each other.

    Args:
        folder: A folder of functions' folders, or one function's own folder. Folders whose name begins
            with "." are skipped.
        only: Names of the wanted functions; faults of others are ignored. All functions if empty.

    Raises:
        ConfigError: There is no function to read, or a wanted function doesn't exist.
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
    problems += _repeated_names(functions)
    problems += _repeated_triggers(functions)
    problems += subscription_problems(functions)
    readable = []
    for function in functions:
        unreadable = _module_problems(function)
        problems += unreadable
        if not unreadable:
            readable.append(function)
    return Survey(tuple(readable), tuple(by_folder(problems)))


def _read_documents(folder: Path) -> list[tuple[Path, Document]]:
    try:
        if not folder.is_dir():
            what = "is not a folder" if folder.exists() else "no such folder"
            raise ConfigError(f"{folder}: {what}; expected {_EXPECTED}")
        places = list(_function_folders(folder.resolve()))
    except OSError as exc:
        place = Path(exc.filename or folder)
        place = place.parent if place.name == MANIFEST_NAME else place
        raise ConfigError(f"{place}: can't be read: {exc.strerror}; expected {_EXPECTED}") from exc
    if not places:
        raise ConfigError(f"{folder}: no {MANIFEST_NAME} here or one folder below; expected {_EXPECTED}")
    # One reader for all files, since building pydantic's validator takes longer than reading a file.
    reader = DocumentReader()
    return [(place, reader.read(place)) for place in places]


def _function_folders(folder: Path) -> Iterator[Path]:
    if (folder / MANIFEST_NAME).exists():
        yield folder
        return
    for place in sorted(folder.iterdir()):
        # A folder with a module but no manifest was meant to be served. Reading it reports what is missing.
        is_function = (place / MANIFEST_NAME).exists() or any(place.glob("*.wasm"))
        if is_function and not place.name.startswith("."):
            yield place


def _check_known(only: Sequence[str], names: Sequence[str]) -> None:
    for name in only:
        if name not in names:
            near = closest(name, names)
            hint = f"did you mean {near!r}?" if near else f"expected {enumerate_names(names)}"
            raise ConfigError(f"--only {name}: no function has this name; {hint}")


def _module_problems(function: Function) -> Sequence[str]:
    if function.is_remote:
        return ()
    try:
        read_module(function)
    except ManifestError as exc:
        return exc.problems
    return ()


def _repeated_names(functions: Sequence[Function]) -> Iterator[str]:
    seen: dict[str, Function] = {}
    for function in functions:
        first = seen.setdefault(function.name, function)
        if first is not function:
            where = f"{first.folder.name}/{MANIFEST_NAME}"
            yield function.format_problem(
                f"name: {function.name!r} is also the name in {where}; expected another"
            )


def _repeated_triggers(functions: Sequence[Function]) -> Iterator[str]:
    seen: dict[tuple[str, str], Function] = {}
    for function in functions:
        for kind, index, trigger in function.manifest.trigger.each():
            if trigger.key is None:
                continue
            key, value = trigger.key
            # `first` may be this very function, if it declares a trigger twice.
            first = seen.get((kind, value))
            seen.setdefault((kind, value), function)
            if first is not None:
                whose = "this function" if first is function else f"function {first.name!r}"
                yield function.format_problem(
                    f"trigger.{kind}[{index}].{key}: {value!r} is already served by {whose}; expected another"
                )
