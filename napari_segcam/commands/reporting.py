"""Reporting a run from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from napari_segcam.reporting.report.content import Choices


def report_run(run_dir: Path, out: Path | None, pdf: bool, partial: bool, choices: Choices, console: Console) -> None:
    """Write the report of a run and say where it is and how large.

    Raises:
        SegcamError: if the run cannot be reported or a file cannot be written.
    """
    from napari_segcam.reporting.report.writing import write_report

    with console.status(f"Reading {run_dir} …"):
        written = write_report(run_dir, out, pdf=pdf, partial=partial, choices=choices)
    for path in written:
        console.print(f"Written: {path} ({path.stat().st_size / 1e6:.1f} MB)", soft_wrap=True, markup=False)
