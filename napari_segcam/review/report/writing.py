"""Write the report of a review: a page, a PDF and tables."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from napari_segcam.files import write_table
from napari_segcam.reporting.report.html import write_html
from napari_segcam.reporting.report.pdf import write_pdf
from napari_segcam.reporting.report.writing import need_report
from napari_segcam.review.report.corrections import COLUMNS as CORRECTION_COLUMNS
from napari_segcam.review.report.measurement_rows import COLUMNS as MEASUREMENT_COLUMNS
from napari_segcam.review.report.pages.content import document_of
from napari_segcam.review.report.review_numbers import ReviewNumbers
from napari_segcam.review.report.rows import NUMBER_COLUMNS
from napari_segcam.review.report.tables import CASE_COLUMNS, VERDICT_COLUMNS


def write_review_report(numbers: ReviewNumbers, out: Path, *, pdf: bool = True) -> list[Path]:
    """Write ``report.html``, ``report.pdf`` and the tables as CSV into a folder; files of earlier reports are replaced.

    Args:
        numbers: of the review.
        out: the folder; created if it is missing.
        pdf: whether to write the PDF.

    Returns:
        The files that were written.

    Raises:
        SegcamError: if a package of the extra ``report`` is missing, or a file cannot be written.
    """
    need_report(pdf=pdf)
    tables = {
        "verdicts.csv": (VERDICT_COLUMNS, numbers.verdicts),
        "cases.csv": (CASE_COLUMNS, numbers.cases),
        "rates.csv": (NUMBER_COLUMNS, numbers.rates),
        "agreement.csv": (NUMBER_COLUMNS, numbers.agreement),
        "corrections.csv": (CORRECTION_COLUMNS, numbers.corrections),
        "measurements.csv": (MEASUREMENT_COLUMNS, numbers.measurements),
    }
    document = document_of(numbers, datetime.now().astimezone())
    written = []
    for name, (columns, rows) in tables.items():
        write_table(out / name, columns, rows)
        written.append(out / name)
    write_html(out / "report.html", document)
    if pdf:
        write_pdf(out / "report.pdf", document)
    return [out / "report.html", *([out / "report.pdf"] if pdf else []), *written]
