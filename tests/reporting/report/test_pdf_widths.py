"""Columns of a table in the PDF: short words are not broken where a long note takes the room."""

from __future__ import annotations

from pathlib import Path

import pytest
from pdf_text import Pdf

from napari_segcam.reporting.report.document import Document, Section, Table
from napari_segcam.reporting.report.pdf import write_pdf


@pytest.fixture
def pdf(tmp_path: Path) -> Pdf:
    note = "12 of 2000 resamples are undefined and left out; likely too narrow, with fewer than 10 cases"
    names = ("raters", "about", "by", "number", "class", "note")
    row = ("anna – benedict", "quality", "frame", "Krippendorff’s α", "finding", note)
    numbers = tuple(f"number {count}" for count in range(2))
    table = Table((*names, *numbers), ((*row, *(["55.6% to 100.0%"] * 2)),), frozenset(names))
    write_pdf(tmp_path / "out.pdf", Document("Title", "", [], [Section("one", "One", [table])]))
    return Pdf(tmp_path / "out.pdf")


@pytest.mark.parametrize("word", ["quality", "frame", "finding", "benedict", "Krippendorff’s", "about"])
def test_short_words_are_whole(pdf: Pdf, word: str) -> None:
    assert word in pdf.text
