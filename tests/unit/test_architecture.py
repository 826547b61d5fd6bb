"""The map for the next engineer, against the packages that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src" / "wasm_grpc"
MAP = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")

PACKAGES = sorted(file.parent for file in SOURCE.glob("*/__init__.py"))
MODULES = sorted(file for file in SOURCE.rglob("*.py") if not file.name.startswith("functions_pb2"))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_is_on_the_map(package: Path) -> None:
    """docs/architecture.md says in its table what each package is for, and draws it."""
    table = re.search(rf"^\| .*`{package.name}`.* \| .+ \|", MAP, re.MULTILINE)
    drawing = MAP[MAP.index("```text") : MAP.index("```\n", MAP.index("```text") + 1)]

    assert table is not None
    assert re.search(rf"\b{package.name}\b", drawing) is not None


def test_the_map_has_no_other_package() -> None:
    """What was removed or renamed is gone from the table."""
    rows = re.findall(r"^\| ((?:`[a-z0-9]+`(?:, )?)+) \| ", MAP.split("## The life")[0], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z0-9]+)`", row)}

    assert named == {package.name for package in PACKAGES}


@pytest.mark.parametrize("file", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_module_says_in_one_sentence_what_it_is(file: Path) -> None:
    """The first paragraph of its docstring is one sentence, or a phrase of one."""
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    first = docstring.split("\n\n")[0]

    assert first.endswith((".", "::"))
    assert len(re.findall(r"\.(?:\s|$)", first)) == 1, first


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([a-z]+(?:/[a-z_]+)+\.py)`", MAP))))
def test_a_file_on_the_map_is_there(path: str) -> None:
    """Nobody is sent to a file that was moved."""
    assert (SOURCE / path).is_file()


def test_the_glossary_is_short() -> None:
    """At most 25 terms, in order."""
    terms = re.findall(r"^\| ([a-z ]+) \| ", MAP.split("## Glossary")[1], re.MULTILINE)[1:]

    assert len(terms) <= 25
    assert terms == sorted(terms)
