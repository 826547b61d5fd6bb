"""The map for the next engineer, against the packages that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from wasm_grpc.core.toml_file import read_toml

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src" / "wasm_grpc"
MAP = (REPOSITORY / "docs" / "architecture.md").read_text("utf-8")
DRAWING = MAP[MAP.index("```text") : MAP.index("```\n", MAP.index("```text") + 1)]

PACKAGES = sorted(file.parent for file in SOURCE.glob("*/__init__.py"))
LAYER = re.compile(r"([a-z0-9]+(?: \| [a-z0-9]+)*) {2,}\S")
"""A layer of the drawing: its packages, and what they are for."""
MODULES = sorted(file for file in SOURCE.rglob("*.py") if not file.name.startswith("functions_pb2"))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_is_on_the_map(package: Path) -> None:
    """docs/architecture.md says in its table what each package is for, and draws it."""
    table = re.search(rf"^\| .*`{package.name}`.* \| .+ \|", MAP, re.MULTILINE)

    assert table is not None
    assert re.search(rf"\b{package.name}\b", DRAWING) is not None


def test_the_drawing_has_the_layers_of_the_contracts() -> None:
    """From top to bottom, as `make lint` checks them; packages that may not import each other share a row."""
    contracts = read_toml(REPOSITORY / "pyproject.toml")["tool"]["importlinter"]["contracts"]
    towers = [each["layers"] for each in contracts if each["type"] == "layers"]
    layers = [[sorted(layer.split(" | ")) for layer in tower if layer != "core"] for tower in towers]
    edge = DRAWING.splitlines()[1].index("worker tower")
    lines = DRAWING.splitlines()[2:]

    drawn = [
        [sorted(row[1].split(" | ")) for row in map(LAYER.match, half) if row]
        for half in ([line[2:edge] for line in lines], [line[edge:] for line in lines])
    ]

    assert drawn == layers


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
