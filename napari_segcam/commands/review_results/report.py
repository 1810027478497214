"""The command ``review report``: the numbers of a review."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.commands.waits.bars import waiting

if TYPE_CHECKING:
    from napari_segcam.review.report.review_numbers import ReviewNumbers

Project = Annotated[Path, typer.Argument(metavar="PROJECT", help="The folder of the review.")]
Images = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The folder in which the images are now, if they were moved.")
]


def report(
    project: Project,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder to write to. Default: report in the project's folder."),
    ] = None,
    pdf: Annotated[bool, typer.Option(help="Write a PDF too.")] = True,
    images: Images = None,
    resamples: Annotated[
        int,
        typer.Option(metavar="COUNT", help="How often cases are drawn again for an interval.", min=100, max=100_000),
    ] = 2000,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Of the random draws.", min=0)] = 0,
    predict: Annotated[
        bool,
        typer.Option(
            "--predict", help="Run the checkpoint on cases that were answered before the prediction was shown."
        ),
    ] = False,
) -> None:
    """Write the numbers of a review: counts, acceptance, agreement of raters, times; as a page, a PDF and CSV tables.

    Logs of raters who are at work can be read. No network is run, unless with --predict.
    """
    from napari_segcam.reporting.report.writing import need_report
    from napari_segcam.review.report.review_numbers import review_report
    from napari_segcam.review.report.writing import write_review_report

    need_report(pdf=pdf)
    console = PlainConsole()
    with waiting(console, f"Reading {project} …"):
        numbers = review_report(project, images=images, resamples=resamples, seed=seed, predict=predict)
        paths = write_review_report(numbers, out or project / "report", pdf=pdf)
    errors = PlainConsole(stderr=True)
    for warning in numbers.warnings:
        errors.print(f"Warning: {warning}", soft_wrap=True, markup=False, highlight=False)
    _print_raters(console, numbers)
    for path in paths:
        console.print(f"Written: {path}", soft_wrap=True, markup=False, highlight=False)


def _print_raters(console: PlainConsole, numbers: ReviewNumbers) -> None:
    """Print what each rater has done, and how often the masks were accepted."""
    from napari_segcam.review.report.pages.estimate_text import interval_text, share_text

    if not numbers.review.raters:
        console.print("No rater has begun, so there are no numbers yet.")
        return
    table = Table("rater", "readings", "done", "masks accepted", "95% interval", "of cases", box=None)
    for work in numbers.review.raters:
        done = sum(row["status"] == "done" for row in numbers.cases if row["rater"] == work.rater)
        for number in numbers.rate_numbers:
            if (number.measure, number.scope, number.rater) == ("acceptance", "case", work.rater):
                estimate = number.estimate
                name = f"{work.rater} ({number.checkpoint})" if len(numbers.review.checkpoints) > 1 else work.rater
                table.add_row(
                    name,
                    str(len(work.readings)),
                    str(done // len(numbers.review.checkpoints)),
                    share_text(estimate.value),
                    interval_text(estimate, share_text),
                    str(estimate.n),
                )
    console.print(table)
