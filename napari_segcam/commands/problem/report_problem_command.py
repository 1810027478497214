"""The command ``report-problem``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.commands.waits.bars import waiting
from napari_segcam.errors import SegcamError


def report_problem(
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write, such as problem.md. Default: the terminal.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The checkpoint that the problem is about: it is loaded and timed."),
    ] = None,
) -> None:
    """Collect what a bug report needs, as Markdown: versions, device, memory, timing, end of the log.

    No image, no name and no path is in it. Nothing is sent.

    Exit code 0: the report is made, also if the checkpoint is refused; 2: a wrong argument, or it cannot be written.
    """
    from napari_segcam.files import refuse_no_file, whole_file
    from napari_segcam.problem.network_facts import facts_of_file
    from napari_segcam.problem.problem_report import problem_report

    if model is not None:
        refuse_no_file(model)
    if out is not None and out.exists():
        raise SegcamError(f"{out} exists already: give another file with --out.")
    console = PlainConsole(stderr=True)
    with waiting(console, "Collecting …"):
        text = problem_report(() if model is None else facts_of_file(model))
    if out is None:
        sys.stdout.write(text)
        return
    with whole_file(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    console.print(f"Written to {out.resolve()}. Read it, then paste it into an issue.", soft_wrap=True, markup=False)
