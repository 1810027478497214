"""The PDF says what the HTML says, and both say what is in the run: numbers, order, links, errors."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

import pytest
from made_run import WriteRun, run_writer
from pdf_text import Pdf
from test_report_pages import Page

from napari_segcam.reporting.report.content import ReportOptions
from napari_segcam.reporting.report.document import RESEARCH_ONLY
from napari_segcam.reporting.report.writing import write_report

NAMES = ("case_10.png", "case_9.png", "Case_1 größer.png")
IN_ORDER = ("Case_1 größer.png", "case_9.png", "case_10.png")
FAILURES = (("broken_2.png", "it is cut off"), ("broken_1.png", "it holds no pixels"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with its HTML and PDF."""
    folder = run_writer(tmp_path_factory.mktemp("reported"))(NAMES, failures=FAILURES)
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def pdf(folder: Path) -> Pdf:
    return Pdf(folder / "report.pdf")


@pytest.fixture(scope="module")
def html(folder: Path) -> Page:
    text = (folder / "report.html").read_text(encoding="utf-8")
    return Page(re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL).replace("</td>", " </td>"))


def rows_of_run(folder: Path) -> list[dict[str, Any]]:
    return [row for path in folder.glob("images/*/record.json") for row in json.loads(path.read_text())["rows"]]


def test_every_ratio_of_the_run_is_on_the_page_of_its_image(folder: Path, pdf: Pdf) -> None:
    for name in NAMES:
        page = next(strings for strings in reversed(pdf.pages) if name in strings)
        shown = page[page.index(name) :]
        for row in rows_of_run(folder):
            if row["image"] == name:
                assert f"{row['ratio']:#.3g}" in shown
                assert f"{row['truth_ratio']:#.3g}" in shown


def test_the_medians_are_those_of_the_run(folder: Path, pdf: Pdf, html: Page) -> None:
    rows = [row for row in rows_of_run(folder) if row["stage"] == "encoder_5"]
    dice = f"median {statistics.median(row['dice'] for row in rows):.3f}"
    ratio = f"{statistics.median(row['ratio'] for row in rows):#.3g}"
    for text in (pdf.text, html.text):
        assert dice in text
        assert ratio in text


def test_every_number_of_the_html_is_in_the_pdf(pdf: Pdf, html: Page) -> None:
    def numbers(text: str) -> set[str]:
        return set(re.findall(r"(?<![\w.])\d+\.\d+(?![\w.])", text))

    assert len(numbers(html.text)) > 20
    assert numbers(html.text) <= numbers(pdf.text)


def test_images_and_errors_come_in_natural_order(pdf: Pdf, html: Page) -> None:
    for names in (IN_ORDER, ("broken_1.png", "broken_2.png")):
        for text in (pdf.text, html.text):
            positions = [text.rindex(name) for name in names]
            assert positions == sorted(positions)


def test_failed_images_are_named_with_their_errors_and_counted(pdf: Pdf, html: Page) -> None:
    for text in (pdf.text, " ".join(html.text.split())):
        for name, error in FAILURES:
            assert name in text
            assert error in text
        assert "3 explained, 2 failed" in text
        assert "2 images could not be explained" in text


def test_each_image_is_in_the_pdf_once_with_a_page_of_its_own(pdf: Pdf) -> None:
    first = [next(number for number, page in reversed(list(enumerate(pdf.pages))) if name in page) for name in IN_ORDER]
    assert first == sorted(first)
    assert all(number in pdf.link_pages for number in first), "the table of all images links to it"
    assert pdf.text.count("mean probability 0.800") == len(NAMES)


def test_every_page_has_its_number_and_the_warning(pdf: Pdf) -> None:
    for number, page in enumerate(pdf.pages, start=1):
        assert f"Page {number}" in page
        assert RESEARCH_ONLY in page


def test_the_contents_lead_to_the_sections(pdf: Pdf, html: Page) -> None:
    titles = ["How to read this report", "Where the heat is", "All images", "Errors", "Provenance", "Image by image"]
    for title in titles:
        assert title in pdf.pages[0], "the contents are on the first page"
        assert any(title in page for page in pdf.pages[1:])
        assert html.text.count(title) >= 2
    assert pdf.link_pages[: len(titles)] == sorted(pdf.link_pages[: len(titles)])


@pytest.mark.slow
def test_an_anonymous_pdf_names_nothing(write_run: WriteRun) -> None:
    folder = write_run(("Miller_1.png", "Miller_2.png"), failures=(("Miller_3.png", "/home/Miller_3.png is empty"),))
    pdf = Pdf(write_report(folder, options=ReportOptions(anonymous=True))[1])
    assert "Miller" not in pdf.text
    assert "my scans" not in pdf.text
    assert "Image 001" in pdf.text
    assert "Miller_2.png" in Pdf(write_report(folder)[1]).text


@pytest.mark.usefixtures("undrawn")
def test_an_image_that_failed_once_and_was_explained_later_is_reported_once(write_run: WriteRun) -> None:
    folder = write_run(("a.png", "b.png"), failures=(("a.png", "once"),), count=2)
    (path,) = write_report(folder, pdf=False)
    page = Page(path.read_text(encoding="utf-8"))
    assert [name for name in page.values("id") if name.startswith("image-")] == ["image-1", "image-2"]
    assert "2 explained, none failed" in page.text


@pytest.mark.usefixtures("undrawn")
def test_a_report_reads_the_run_and_changes_nothing_in_it(write_run: WriteRun, tmp_path: Path) -> None:
    folder = write_run()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    first, second = (
        re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "", write_report(folder, tmp_path / name, pdf=False)[0].read_text("utf-8"))
        for name in ("one.html", "two.html")
    )
    assert first == second, "the same run gives the same report"
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
