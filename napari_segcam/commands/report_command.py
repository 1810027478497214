"""The command ``report``: the report of a finished batch, and whether its figures are good enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.commands.waits.bars import waiting
from napari_segcam.errors import SegcamError
from napari_segcam.number_format import counted

if TYPE_CHECKING:
    from napari_segcam.reporting.report.document import Addition
    from napari_segcam.validating.failures.kinds import FailureLimits
    from napari_segcam.validating.further_sections import FurtherSections
    from napari_segcam.validating.pages.page import Plots
    from napari_segcam.validating.rows import Rows
    from napari_segcam.validating.validate import Validation

_VALIDATION = "Validation over cases"
CODES = {"pass": 0, "fail": 1, "not enough cases": 3}
"""Exit codes by the outcome of the criteria."""


def report(
    run_dir: Annotated[Path, typer.Argument(help="The folder that batch wrote to.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The HTML file. Default: report.html in the run's folder.")
    ] = None,
    pdf: Annotated[bool, typer.Option(help="Write a PDF too, beside the HTML file.")] = True,
    per_image: Annotated[bool, typer.Option(help="Give images pages of their own.")] = True,
    most_pages: Annotated[
        int,
        typer.Option(metavar="NUMBER", help="Most images that have one; those the report links to always do.", min=0),
    ] = 400,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Show numbers instead of file names.")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Report a run that is not finished.")] = False,
    title: Annotated[str, typer.Option(metavar="TEXT", help="Title on the first page.")] = "Where the network looked",
    cases: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A CSV list with the columns image and case: which images are of one patient or exam.",
            rich_help_panel=_VALIDATION,
        ),
    ] = None,
    case_pattern: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX",
            help="Instead, a regular expression with one group, which finds the case in the name of an image, such as "
            "(patient_[0-9]+).",
            rich_help_panel=_VALIDATION,
        ),
    ] = None,
    subgroups: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A CSV list with a column case or image and one for each attribute, such as probe or age: every "
            "metric in each group.",
            rich_help_panel=_VALIDATION,
        ),
    ] = None,
    subgroup_bounds: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBERS",
            help="Where to cut the numbers of an attribute into groups, such as age=40,60; may be given several times. "
            "Default: thirds of the cases.",
            rich_help_panel=_VALIDATION,
        ),
    ] = None,
    failure_limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=NUMBER",
            help="Where failure begins: dice, surface_dice or off_scan, such as dice=0.7; may be given several times.",
            rich_help_panel=_VALIDATION,
        ),
    ] = None,
    criteria: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A YAML file with what the figures must be. The outcome is printed and written to criteria.json.",
            rich_help_panel=_VALIDATION,
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Another run on the same images, such as that of an earlier model: paired differences by case.",
            rich_help_panel=_VALIDATION,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="NUMBER", help="Seed of the intervals.", rich_help_panel=_VALIDATION, min=0)
    ] = 0,
) -> None:
    """Write the report of a batch: one HTML page that works offline, and a PDF.

    No network is run. If the run has true masks, the report has their metrics over cases, with intervals.

    Exit code 0: all is well, and all criteria pass; 1: a criterion fails; 2: a wrong argument; 3: no criterion fails,
    but some have not enough cases.
    """
    from napari_segcam.reporting.report.content import ReportOptions
    from napari_segcam.reporting.report.finished_run import read_run
    from napari_segcam.reporting.report.writing import html_file, need_report, write_report
    from napari_segcam.validating.further_sections import further_sections, joined, write_further
    from napari_segcam.validating.pages.page import addition_of
    from napari_segcam.validating.pages.writing import remove_earlier, write_validation
    from napari_segcam.validating.validate import validate

    console = PlainConsole()
    need_report(pdf=pdf)
    page, bounds = html_file(run_dir, out), _bounds(subgroup_bounds or ())
    limits = _limits(failure_limit or ())
    with waiting(console, f"Reading {run_dir} …"):
        run = read_run(run_dir, partial)
        asked = any(given is not None for given in (cases, case_pattern, subgroups, criteria, against)) or bool(bounds)
        validation: Validation | None = None
        addition: Addition | None = None
        further: FurtherSections | None = None
        plots: Plots = {}
        if asked or any(image.truth for image in run.images):
            validation = validate(
                run,
                cases,
                subgroups,
                criteria,
                seed,
                case_pattern=case_pattern,
                bounds=bounds,
                against=against,
                partial=partial,
            )
            addition, plots = addition_of(validation, run, anonymous)
            further = further_sections(validation, run, anonymous, per_image, limits)
            addition = joined(addition, further.addition)
        paths = write_report(
            run_dir,
            page,
            pdf=pdf,
            options=ReportOptions(title, per_image, anonymous, most_pages),
            run=run,
            addition=addition,
        )
        if validation is not None:
            paths += write_validation(page.parent, validation, plots, anonymous)
        if further is not None:
            paths += write_further(page.parent, further)
            plots |= further.plots
        remove_earlier(page.parent, paths, plots)
    for path in paths:
        console.print(f"Written: {path} ({path.stat().st_size / 1e6:.1f} MB)", soft_wrap=True, markup=False)
    if validation is not None and asked:
        _print_problems(validation, console)
    if validation is not None and validation.criteria:
        raise typer.Exit(_print_criteria(validation.criteria, console))


def _bounds(texts: Sequence[str]) -> dict[str, list[float]]:
    """Return the bounds of each attribute.

    Raises:
        SegcamError: if a text is not understood.
    """
    bounds = {}
    for text in texts:
        name, equals, numbers = text.rpartition("=")
        try:
            bounds[name.strip().lower()] = [float(number) for number in numbers.split(",")]
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise SegcamError(f"--subgroup-bounds {text} is not understood: give NAME=NUMBERS, such as age=40,60.")
    return bounds


def _limits(texts: Sequence[str]) -> FailureLimits:
    """Return where failure begins; what is not given is as usual.

    Raises:
        SegcamError: if a text is not understood.
    """
    from napari_segcam.validating.failures.kinds import FailureLimits

    names = [each.name for each in fields(FailureLimits)]
    given = {}
    for text in texts:
        name, _, number = (part.strip() for part in text.partition("="))
        try:
            given[name] = float(number)
        except ValueError:
            given[name] = math.nan
        if name not in names or not 0 <= given[name] <= 1:
            raise SegcamError(
                f"--failure-limit {text} is not understood: give NAME=NUMBER, where NAME is {', '.join(names[:-1])} or "
                f"{names[-1]} and NUMBER is from 0 to 1, such as dice=0.7."
            )
    return FailureLimits(**given)


def _print_problems(validation: Validation, console: Console) -> None:
    """Print what does not fit, which nobody should have to find in a report."""
    assigned = validation.assigned
    problems = {
        "case of the list without an image in the run": len(assigned.missing),
        "image of the list that the run does not have": len(assigned.without_image),
        "image of the run in no case, and in no figure": len(assigned.without_case),
        "image in several cases": len(assigned.duplicates),
        "name in the list of subgroups that the run does not have": len(validation.unmatched),
    }
    for words, count in problems.items():
        if count:
            noun, _, rest = words.partition(" ")
            console.print(f"[yellow]{counted(count, noun)} {rest}", soft_wrap=True)
    if assigned.assumed:
        console.print(f"[yellow]{escape(assigned.how)}", soft_wrap=True)


def _print_criteria(rows: Rows, console: Console) -> int:
    """Print the criteria and return the exit code."""
    from rich.table import Table

    from napari_segcam.validating.criteria.checking import overall
    from napari_segcam.validating.metrics import BY_NAME
    from napari_segcam.validating.pages.words import figure_text

    table = Table("criterion", "class", "measured", "cases", "outcome", "why", title="Criteria")
    for row in rows:
        measured = figure_text(BY_NAME[row["metric"]], row["measured"], row["unit"])
        cells = (row["criterion"], row["class"], measured, str(row["cases"]), row["outcome"], row["why"])
        table.add_row(*map(escape, cells))
    console.print(table)
    outcome = overall(row["outcome"] for row in rows)
    console.print(f"Outcome: {outcome}")
    return CODES[outcome]
