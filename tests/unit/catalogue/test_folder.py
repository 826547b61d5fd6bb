"""Folders of functions: what is found, and what is wrong with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from wasm_grpc.catalogue.folder import read_functions
from wasm_grpc.catalogue.function import read_module
from wasm_grpc.core.errors import ConfigError, ManifestError

WriteFunction = Callable[..., Path]

FOLDER = "expected a folder of functions, each with a function.toml, or one function's own folder"
INVOKE = "[[trigger.invoke]]\nmethod = '{method}'\n"


def test_functions_are_read_in_the_order_of_their_folders(write_function: WriteFunction) -> None:
    """Every folder with a manifest is a function; files and folders without one are passed over."""
    parent = write_function("b").parent
    write_function("a")
    write_function(".hidden", "not a manifest")
    (parent / "notes").mkdir()
    (parent / "README.md").touch()

    functions = read_functions(parent)

    assert [(function.name, function.folder) for function in functions] == [
        ("a", parent / "a"),
        ("b", parent / "b"),
    ]


def test_a_folder_may_be_one_functions_own(
    write_function: WriteFunction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single function is served from its own folder, also by the name '.'."""
    monkeypatch.chdir(write_function("echo"))

    (function,) = read_functions(Path())

    assert function.format_problem("x") == "echo/function.toml: x"


def test_topics_that_contradict_each_other(write_function: WriteFunction) -> None:
    """The topics of all functions are held against each other."""
    topic = "[[trigger.topic]]\npubsub = 'p'\ntopic = 't'\n"
    parent = write_function("a", f"name = 'a'\nmodule = 'a.wasm'\n{topic}").parent
    write_function("b", f"name = 'b'\nmodule = 'b.wasm'\n{topic}")

    with pytest.raises(ManifestError) as caught:
        read_functions(parent)

    assert caught.value.problems == (
        "b/function.toml: trigger.topic[0].match: is left out, and trigger.topic[0] of function 'a' is the default "
        "of topic 't' already; expected a match",
    )


def test_only_some_functions_are_read(write_function: WriteFunction) -> None:
    """With `only`, the faults of other functions are no hindrance."""
    parent = write_function("a").parent
    write_function("b", "name = 'b'\n")

    functions = read_functions(parent, ["a"])

    assert [function.name for function in functions] == ["a"]


def test_faults_of_all_files_are_told_together(write_function: WriteFunction) -> None:
    """One error holds every line of every file, each beginning with its folder's name."""
    parent = write_function("a", "name = ").parent
    write_function("b", "name = 'b'\nmodule = 'b.wasm'\ntrigger = 1\nx = 1\n")
    write_function("c", has_module=False)

    with pytest.raises(ManifestError) as caught:
        read_functions(parent)

    assert caught.value.problems == (
        "a/function.toml: end of document: invalid value; expected TOML 1.0",
        "b/function.toml: trigger: 1 is an integer; expected a table",
        (
            "b/function.toml: x: unknown key; expected 'args', 'capabilities', 'content_type', 'engine',"
            " 'env', 'guest', 'limits', 'module', 'name', 'outcome', 'pool', 'response' and 2 more"
        ),
        "c/function.toml: module: no file 'c.wasm'; expected it below the function's folder",
    )


def test_a_module_without_a_manifest_is_a_fault(write_function: WriteFunction) -> None:
    """A folder that holds a module was meant as a function, so its missing manifest is told."""
    folder = write_function("a")
    (folder / "function.toml").unlink()

    with pytest.raises(ManifestError) as caught:
        read_functions(folder.parent)

    assert caught.value.problems == ("a/function.toml: missing; expected a manifest beside the module",)


def test_a_manifest_that_is_a_folder(write_function: WriteFunction) -> None:
    """A manifest that can't be read is told with the system's reason."""
    folder = write_function("a")
    (folder / "function.toml").unlink()
    (folder / "function.toml").mkdir()

    with pytest.raises(ManifestError) as caught:
        read_functions(folder.parent)

    assert caught.value.problems == (
        "a/function.toml: can't be read: Is a directory; expected a readable file",
    )


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "no such folder"),
        (lambda path: path.mkdir(), "no function.toml here or one folder below"),
        (lambda path: path.touch(), "is not a folder"),
    ],
    ids=["missing", "empty", "file"],
)
def test_nothing_to_read(tmp_path: Path, make: Callable[[Path], object], problem: str) -> None:
    """Where no function can be found, the error says what was looked for."""
    folder = tmp_path / "fns"
    make(folder)

    with pytest.raises(ConfigError) as caught:
        read_functions(folder)

    assert str(caught.value) == f"{folder}: {problem}; {FOLDER}"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("grayscal", "did you mean 'grayscale'?"), ("xyz", "expected 'echo' or 'grayscale'")],
)
def test_only_an_unknown_function(write_function: WriteFunction, name: str, hint: str) -> None:
    """An unknown name gets the nearest one, or all of them."""
    parent = write_function("grayscale").parent
    write_function("echo")

    with pytest.raises(ConfigError) as caught:
        read_functions(parent, ["echo", name])

    assert str(caught.value) == f"--only {name}: no function has this name; {hint}"


def test_two_functions_with_one_name_and_one_method(write_function: WriteFunction) -> None:
    """A name or a method that is taken is told at the second function, naming the first."""
    text = "name = '{name}'\nmodule = '{folder}.wasm'\n"
    parent = write_function("a", text.format(name="x", folder="a") + INVOKE.format(method="m")).parent
    write_function("b", text.format(name="x", folder="b") + INVOKE.format(method="n"))
    write_function("c", text.format(name="z", folder="c") + INVOKE.format(method="/m"))
    write_function("d", text.format(name="w", folder="d") + 2 * INVOKE.format(method="o/*"))

    with pytest.raises(ManifestError) as caught:
        read_functions(parent)

    assert caught.value.problems == (
        "b/function.toml: name: 'x' is also the name in a/function.toml; expected another",
        "c/function.toml: trigger.invoke[0].method: 'm' is already served by function 'x'; expected another",
        (
            "d/function.toml: trigger.invoke[1].method: 'o/*' is already served by this function;"
            " expected another"
        ),
    )


def test_two_functions_called_by_one_name(write_function: WriteFunction) -> None:
    """A name is taken by one trigger of its kind; a job may have a binding's name."""
    cron = "[[trigger.{kind}]]\nname = 'cron'\n"
    text = "name = '{name}'\nmodule = '{name}.wasm'\n"
    parent = write_function("a", text.format(name="a") + cron.format(kind="binding")).parent
    write_function("b", text.format(name="b") + 2 * cron.format(kind="job"))
    write_function("c", text.format(name="c") + cron.format(kind="binding"))

    with pytest.raises(ManifestError) as caught:
        read_functions(parent)

    assert caught.value.problems == (
        "b/function.toml: trigger.job[1].name: 'cron' is already served by this function; expected another",
        "c/function.toml: trigger.binding[0].name: 'cron' is already served by function 'a'; expected another",
    )


def _link_out(path: Path) -> None:
    outside = path.parents[1] / "outside.wasm"
    outside.touch()
    path.symlink_to(outside)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: path.mkdir(), "'a.wasm' is a folder; expected a file"),
        (os.mkfifo, "'a.wasm' is not a regular file; expected one"),
        (_link_out, "'a.wasm' is a link out of the function's folder; expected a file below it"),
        (
            lambda path: path.symlink_to("missing.wasm"),
            "no file 'a.wasm'; expected it below the function's folder",
        ),
        (
            lambda path: path.symlink_to("a.wasm"),
            "'a.wasm' can't be reached; expected a file below the function's folder",
        ),
    ],
    ids=["folder", "pipe", "link out", "dangling link", "link to itself"],
)
def test_module_that_is_no_file_of_the_folder(
    write_function: WriteFunction, make: Callable[[Path], object], problem: str
) -> None:
    """A module must be a regular file below the folder, also at the end of links."""
    folder = write_function("a", has_module=False)
    make(folder / "a.wasm")

    with pytest.raises(ManifestError) as caught:
        read_functions(folder.parent)

    assert caught.value.problems == (f"a/function.toml: module: {problem}",)


def test_a_link_inside_the_folder_is_followed(write_function: WriteFunction) -> None:
    """A module may be a link to another file of the same folder."""
    folder = write_function("a", has_module=False)
    (folder / "build").mkdir()
    (folder / "build" / "out.wasm").write_bytes(b"module")
    (folder / "a.wasm").symlink_to("build/out.wasm")

    (function,) = read_functions(folder.parent)

    assert read_module(function) == b"module"


def test_a_pin_that_differs(write_function: WriteFunction) -> None:
    """A module that isn't the pinned one is told with both digests."""
    pin = "0" * 64
    folder = write_function(
        "a", f"name = 'a'\nmodule = 'a.wasm'\nsha256 = '{pin}'\n" + INVOKE.format(method="m")
    )
    digest = hashlib.sha256((folder / "a.wasm").read_bytes()).hexdigest()

    with pytest.raises(ManifestError) as caught:
        read_functions(folder.parent)

    assert caught.value.problems == (
        f"a/function.toml: sha256: 'a.wasm' has digest {digest}; expected {pin}",
    )


def test_a_module_that_changed_since_it_was_checked(write_function: WriteFunction) -> None:
    """The pin is checked at each reading, not only at the first."""
    folder = write_function("a")
    digest = hashlib.sha256((folder / "a.wasm").read_bytes()).hexdigest()
    text = (folder / "function.toml").read_text()
    (folder / "function.toml").write_text(f"sha256 = '{digest}'\n{text}")
    (function,) = read_functions(folder)
    (folder / "a.wasm").write_bytes(b"other")

    with pytest.raises(ManifestError, match=r"^a/function\.toml: sha256: 'a\.wasm' has "):
        read_module(function)
