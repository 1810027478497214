"""The command line, ``napari-segcam COMMAND``. Only ``demo --window`` and ``review PROJECT`` import Qt."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_segcam.commands.batch_command import batch
from napari_segcam.commands.check_command import check
from napari_segcam.commands.compare_command import compare
from napari_segcam.commands.deidentify.deidentify_command import deidentify
from napari_segcam.commands.explain_command import explain
from napari_segcam.commands.inspect_command import inspect
from napari_segcam.commands.optional_values import OptionalValueCommand
from napari_segcam.commands.pacs.pacs_command import pacs
from napari_segcam.commands.problem.command_line import CommandLine
from napari_segcam.commands.problem.report_problem_command import report_problem
from napari_segcam.commands.report_command import report
from napari_segcam.commands.review_command import OPEN, review
from napari_segcam.commands.robustness.robustness_command import robustness
from napari_segcam.commands.terminal import PlainConsole, accept_any_text
from napari_segcam.deprecated import with_present_options
from napari_segcam.errors import SegcamError
from napari_segcam.interrupts import STOPPED_EARLY
from napari_segcam.preferences.present import check_environment, problems
from napari_segcam.tuning.exit import skip_last_collection
from napari_segcam.tuning.openmp import keep_threads_awake
from napari_segcam.version import __version__

app = CommandLine(
    name="napari-segcam",
    help="See where a segmentation network looked: masks and one Grad-CAM heatmap per stage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (inspect, explain, batch, report, check, compare, robustness, deidentify, report_problem):
    app.command(cls=OptionalValueCommand)(command)
app.add_typer(review, name="review")
app.add_typer(pacs, name="pacs")


_UNEXPECTED = "napari-segcam: this is a bug. napari-segcam report-problem collects what a report of it needs."


def main() -> None:
    """Run the command line; an error of the user is one line on stderr and exit code 2."""
    keep_threads_awake()
    accept_any_text()
    try:
        check_environment()
        for problem in problems():
            print(f"napari-segcam: {problem}", file=sys.stderr)
        app(with_present_options(sys.argv[1:]))
    except SystemExit as end:
        if isinstance(getattr(end.__context__, "__cause__", None), KeyboardInterrupt):  # before a command began
            print(STOPPED_EARLY, file=sys.stderr)
        raise
    except SegcamError as error:
        logging.getLogger(__name__).info("A command ended with an error of the user", exc_info=True)
        print(f"napari-segcam: {error}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        logging.getLogger(__name__).exception("A command failed unexpectedly")  # on the terminal too
        print(f"napari-segcam: {type(error).__name__}: {error}\n{_UNEXPECTED}", file=sys.stderr)
        sys.exit(1)
    finally:
        skip_last_collection()


def _print_version(is_requested: bool) -> None:
    if is_requested:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """See where a segmentation network looked: masks and one Grad-CAM heatmap per stage."""


# Here and not beside the other commands, which may not import the viewer.
@app.command()
def demo(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to write to.")] = Path("demo"),
    window: Annotated[bool, typer.Option("--window", help="Open the viewer with the sample and its results.")] = False,
    screenshot: Annotated[
        bool, typer.Option("--screenshot", help="With --window: save a picture of the window and close it.")
    ] = False,
) -> None:
    """Segment and explain a frame of the sample cine with the demo checkpoint."""
    if window:
        from napari_segcam.viewer.demo_window import show_demo

        show_demo(out / "window.png" if screenshot else None)
    if not window or screenshot:
        from napari_segcam.batch.options import ExplainOptions
        from napari_segcam.commands.explain_cine import explain_cine
        from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
        from napari_segcam.imaging.opening import open_cine
        from napari_segcam.network.loading import load_network

        network, cine = load_network(demo_checkpoint()), open_cine(sample_cine())
        explain_cine(network, cine, [FRAME], ExplainOptions(), out, PlainConsole())


@review.command(OPEN)
def open_review(
    project: Annotated[Path, typer.Argument(metavar="PROJECT", help="The folder of the review.")],
    *,
    rater: Annotated[
        str, typer.Option(metavar="NAME", help="Who reads: letters, digits and . _ -; default: as last time, or ask.")
    ] = "",
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder of the images, if they were moved.")
    ] = None,
) -> None:
    """Open a review in the viewer, as it was left; `review PROJECT` does the same."""
    from napari_segcam.review.project import open_project
    from napari_segcam.review.raters import check_rater

    open_project(project, images)  # what is wrong is said here, before the window opens
    name = check_rater(rater) if rater else ""
    from napari_segcam.viewer.review_window import show_review

    show_review(project, name, images)
