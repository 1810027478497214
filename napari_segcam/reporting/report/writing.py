"""Write the report of a run."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from napari_segcam.errors import SegcamError
from napari_segcam.optional import needed
from napari_segcam.reporting.report.content import ReportOptions, document_of
from napari_segcam.reporting.report.document import Addition
from napari_segcam.reporting.report.finished_run import FinishedRun, read_run
from napari_segcam.reporting.report.html import write_html
from napari_segcam.reporting.report.pdf import write_pdf


def need_report(*, pdf: bool = True) -> None:
    """Check that reports can be written; call it before a run that takes hours, not after it.

    Raises:
        SegcamError: if a package of the extra ``report`` is missing.
    """
    needed("jinja2", "The report needs a template engine")
    needed("matplotlib", "The report has plots")
    if pdf:
        needed("reportlab", "The report is also written as PDF")


def html_file(run_dir: Path, out: Path | None) -> Path:
    """Return the HTML file of a report: ``out``, or ``report.html`` in the folder of the run.

    Raises:
        SegcamError: if it is no HTML file.
    """
    out = out or run_dir / "report.html"
    if out.suffix.lower() not in (".html", ".htm"):
        raise SegcamError(f"The report is an HTML page, so {out} must end in .html; the PDF is written beside it.")
    return out


def write_report(
    run_dir: Path,
    out: Path | None = None,
    *,
    pdf: bool = True,
    partial: bool = False,
    options: ReportOptions | None = None,
    run: FinishedRun | None = None,
    addition: Addition | None = None,
) -> list[Path]:
    """Write the report of a run as one self-contained HTML page and as a PDF beside it.

    Args:
        run_dir: the folder of the run, as written by ``napari-segcam batch``.
        out: the HTML file; by default ``report.html`` in the folder of the run.
        pdf: whether to write the PDF too, under the same name.
        partial: whether to report an unfinished run.
        options: what to show.
        run: what ``read_run`` made of the folder, if it has been read.
        addition: what else the report shows.

    Returns:
        The files that were written.

    Raises:
        SegcamError: if a package of the extra ``report`` is missing, the folder holds no run that can be reported, or
            a file cannot be written.
    """
    need_report(pdf=pdf)
    out = html_file(run_dir, out)
    run = run or read_run(run_dir, partial)
    document = document_of(run, options or ReportOptions(), datetime.now().astimezone(), addition)
    write_html(out, document)
    if not pdf:
        return [out]
    write_pdf(out.with_suffix(".pdf"), document)
    return [out, out.with_suffix(".pdf")]
