"""The committed results, and the pages that quote them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.document import Document, missing_figures, read_document
from benchmarks.pages import PAGES, filled
from benchmarks.publish import RESULTS

RUN = RESULTS / "results.json"


@pytest.fixture
def document() -> Document:
    """The committed run."""
    return read_document(RUN)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_quotes_the_committed_figures(page: Path, document: Document) -> None:
    """`python -m benchmarks.publish` would change nothing."""
    text = page.read_text("utf-8")

    assert "<!-- bench: " in text
    assert filled(text, document) == text


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_page_shows_plots_that_are_there(page: Path) -> None:
    """Each picture is committed."""
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text("utf-8"))

    assert pictures
    assert [name for name in pictures if not (page.parent / name).is_file()] == []


def test_the_committed_run_is_whole(document: Document) -> None:
    """It measured every part, on every peer."""
    assert document.plan == "full"
    assert document.left_out == {}
    assert document.field is not None
    assert document.field.left_out == {}
    assert missing_figures(document) == []
