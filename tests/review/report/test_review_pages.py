"""The report as files: a page, a PDF and tables, which hold the numbers."""

from __future__ import annotations

import csv
import html
import re
from pathlib import Path

import pytest
from made_review import Rater, new_project

from napari_segcam.review.project import ReviewProject
from napari_segcam.review.report.review_numbers import ReviewNumbers, review_report
from napari_segcam.review.report.writing import write_review_report


def text_of(page: Path) -> str:
    """Return the visible text of a page, with single spaces."""
    content = re.sub(r"<(style|script|svg).*?</\1>", " ", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", content)).split())


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def numbers(study: ReviewProject) -> ReviewNumbers:
    return review_report(study.folder, resamples=200)


@pytest.fixture(scope="module")
def report(numbers: ReviewNumbers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    written = write_review_report(numbers, out)
    assert {path.name for path in written} == {path.name for path in out.iterdir()}
    return out


def test_the_first_page_says_it_in_words(report: Path) -> None:
    first, _, _ = text_of(report / "report.html").partition("Readings of each rater")
    assert "anna in 5 of 8 cases: 62.5% (95% interval 30.6% to 86.3%), the most" in first
    assert "chen accepted the mask as it is in 3 of 7 cases: 42.9%" in first
    assert "Fleiss’ κ of the verdicts on masks is 0.41" in first
    assert "over 6 cases that all rated" in first
    assert "2 of 4 verdicts changed after the heatmap was seen" in first
    assert "anna 8 of 9 62.5% (5 of 8) 30.6% to 86.3% 14 s 12 to 22 s" in first


def test_the_page_is_complete_and_alone(report: Path) -> None:
    page = (report / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!#|data:)', page)
    text = text_of(report / "report.html")
    for section in ("Agreement", "Heatmaps", "Time", "Cases", "How the numbers are computed", "Provenance"):
        assert section in text
    assert "None" not in text
    assert "nan" not in text.lower().split()


def test_the_pdf_has_pages(report: Path) -> None:
    content = (report / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page") > 4


def test_tables_hold_the_same_numbers(report: Path, numbers: ReviewNumbers) -> None:
    rows = table(report / "agreement.csv")
    assert len(rows) == len(numbers.agreement)
    for row, expected in zip(rows, numbers.agreement, strict=True):
        assert row["measure"] == expected["measure"]
        assert row["value"] == ("" if expected["value"] is None else str(expected["value"]))
        assert row["undefined"] == expected["undefined"]
    assert len(table(report / "cases.csv")) == 27
    assert len(table(report / "verdicts.csv")) == len(numbers.verdicts)


def test_a_note_is_no_formula(report: Path) -> None:
    notes = [row["note"] for row in table(report / "verdicts.csv") if row["note"]]
    assert notes == ["'=note of anna", "'=note of ben", "'=note of chen"]


def test_one_rater_and_nobody(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    write_review_report(review_report(project.folder), tmp_path / "none")
    assert "No rater has begun" in text_of(tmp_path / "none" / "report.html")
    with Rater(project, "anna") as rater:
        rater.judge("image_0", "accept")
    write_review_report(review_report(project.folder), tmp_path / "one", pdf=False)
    assert "agreement between raters is undefined" in text_of(tmp_path / "one" / "report.html")
    assert not (tmp_path / "one" / "report.pdf").exists()


def test_warnings_are_on_the_first_page(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    with Rater(project, "anna") as rater:
        rater.judge("image_0", "accept")
    with (project.folder / "raters" / "anna" / "log.jsonl").open("ab") as file:
        file.write(b"{")
    write_review_report(review_report(project.folder), tmp_path / "out", pdf=False)
    first, _, _ = text_of(tmp_path / "out" / "report.html").partition("Readings of each rater")
    assert "is torn" in first


def test_cines_of_which_only_frames_were_judged(tmp_path: Path) -> None:
    project = new_project(tmp_path)
    with Rater(project, "anna") as rater:
        rater.judge("cine", "accept", first=0, last=2)
    write_review_report(review_report(project.folder, resamples=50), tmp_path / "out", pdf=False)
    first, _, _ = text_of(tmp_path / "out" / "report.html").partition("Readings of each rater")
    assert "No case has a verdict on its whole mask yet. Of the frames that were rated, anna accepted 100.0%" in first
    assert "of 3 frames" in first
