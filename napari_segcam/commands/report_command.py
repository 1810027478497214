"""The command ``report``: the report of a finished batch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.commands.waits.bars import waiting


def report(
    run_dir: Annotated[Path, typer.Argument(help="The folder that batch wrote to.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The HTML file. Default: report.html in the run's folder.")
    ] = None,
    pdf: Annotated[bool, typer.Option(help="Write a PDF too, beside the HTML file.")] = True,
    per_image: Annotated[bool, typer.Option(help="Give every image its own page.")] = True,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Show numbers instead of file names.")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Report a run that is not finished.")] = False,
    title: Annotated[str, typer.Option(metavar="TEXT", help="Title on the first page.")] = "Where the network looked",
) -> None:
    """Write the report of a batch: one HTML page that works offline, and a PDF.

    No network is run.
    """
    from napari_segcam.reporting.report.content import ReportOptions
    from napari_segcam.reporting.report.writing import write_report

    console = PlainConsole()
    with waiting(console, f"Reading {run_dir} …"):
        paths = write_report(run_dir, out, pdf=pdf, partial=partial, options=ReportOptions(title, per_image, anonymous))
    for path in paths:
        console.print(f"Written: {path} ({path.stat().st_size / 1e6:.1f} MB)", soft_wrap=True, markup=False)
