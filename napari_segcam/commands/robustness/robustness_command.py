"""The command ``robustness``: a network on perturbed images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from napari_segcam.commands.image_summary import check_order
from napari_segcam.commands.network_options import Device, NetworkOptions
from napari_segcam.commands.options import EXPLANATION, INPUT, Threshold, ValueRange, with_option_groups
from napari_segcam.commands.terminal import PlainConsole, duration
from napari_segcam.commands.truth_options import TruthColors
from napari_segcam.commands.waits.bars import progress_on, waiting
from napari_segcam.commands.waits.stopped import INTERRUPTED, stoppable

if TYPE_CHECKING:
    from napari_segcam.robustness.running import Robustness

_IMAGES = "Images and true masks"
_PERTURBATIONS = "Perturbations"
_ORDER = "The order is: napari-segcam robustness MODEL IMAGES."
_LONG = 120  # seconds: a longer run asks first, where somebody can answer


@with_option_groups
def robustness(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The checkpoint of the network, or an ensemble file.")],
    images: Annotated[
        Path,
        typer.Argument(
            metavar="IMAGES",
            help="A folder of images and cines, one image or cine, or a CSV list with a column image and, if you like, "
            "truth and case. Each file is a case, unless a list names cases.",
        ),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="The folder to write to. The same command resumes a run that was stopped."),
    ] = Path("robustness"),
    perturbations: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Which, separated by commas: gain, contrast, speckle, blur, shadow, shadow_width, rotation, crop, "
            "jpeg, resolution, graphics. Default: all.",
            rich_help_panel=_PERTURBATIONS,
        ),
    ] = None,
    strengths: Annotated[
        str | None,
        typer.Option(
            metavar="LISTS",
            help="Strengths instead of the usual ones, such as 'gain=-6,6;jpeg=50,20'. Units: dB for gain, contrast "
            "(dynamic range) and shadow, dB SNR for speckle, mm or px for blur, degrees for rotation, percent for "
            "shadow_width and crop, the quality for jpeg, a factor for resolution, a count for graphics.",
            rich_help_panel=_PERTURBATIONS,
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="A folder of true masks, as for batch. Without, masks are compared with those of unperturbed frames.",
            rich_help_panel=_IMAGES,
        ),
    ] = None,
    truth_colors: TruthColors = None,
    cases: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A CSV list with the columns image and case: which images are of one patient or exam.",
            rich_help_panel=_IMAGES,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="COUNT",
            help="Measure at most so many images: a random sample of them.",
            min=1,
            rich_help_panel=_IMAGES,
        ),
    ] = None,
    frames_of_cine: Annotated[
        int,
        typer.Option(
            metavar="COUNT",
            help="Measure at most so many frames of each cine, evenly spread.",
            min=1,
            rich_help_panel=_IMAGES,
        ),
    ] = 3,
    seed: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            help="Seed of the perturbations, of the intervals and of the random sample.",
            min=0,
            rich_help_panel=_IMAGES,
        ),
    ] = 0,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Class names or numbers, separated by commas. Default: the first class that is not the background.",
            rich_help_panel=EXPLANATION,
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="The CAM method of the heatmap.", rich_help_panel=EXPLANATION)
    ] = "gradcam",
    stage: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The stage of the heatmap. Default: in each frame the one that is shown first.",
            rich_help_panel=EXPLANATION,
        ),
    ] = None,
    crop: Annotated[
        str,
        typer.Option(
            metavar="BOX",
            help="The part of the frame that is perturbed and measured: none (the whole frame), auto (the scan), or "
            "LEFT,TOP,RIGHT,BOTTOM.",
            rich_help_panel=INPUT,
        ),
    ] = "none",
    value_range: ValueRange = None,
    threshold: Threshold = None,
    yes: Annotated[bool, typer.Option("--yes", help="Begin without asking, however long it takes.")] = False,
    device: Device = "auto",
    network: NetworkOptions,
) -> None:
    """Measure how masks and heatmaps change when images are perturbed, in the units of a sonographer.

    Each frame is made darker, brighter, noisier and so on, by known strengths, and segmented and explained again. It
    writes robustness.csv row by row, and at the end robustness_summary.csv with intervals over cases, the curves, and
    the page robustness.html. It says first how long it takes.

    Exit code 0: all is well; 1: some images failed; 2: a wrong argument; 130: stopped by Ctrl-C, the same command goes
    on.
    """
    from napari_segcam.batch.color_tables.color_table import read_colors
    from napari_segcam.batch.color_tables.named_classes import with_names_of
    from napari_segcam.perturbing.catalog import find_perturbations, parse_strengths
    from napari_segcam.reporting.report.writing import need_report
    from napari_segcam.robustness.measure_robustness import finished, write_result
    from napari_segcam.robustness.options import RobustnessOptions
    from napari_segcam.robustness.run_file import locked
    from napari_segcam.robustness.running import Robustness

    console = PlainConsole()
    need_report(pdf=False)
    check_order(model, images, _ORDER)
    names = tuple(name.strip() for name in (perturbations or "").split(",") if name.strip())
    own_strengths = parse_strengths(strengths or "")
    find_perturbations(names, own_strengths)  # a wrong one is said before the network is loaded
    colors = None if truth_colors is None else read_colors(truth_colors)
    source = network.source([model], device)
    with waiting(console, f"Loading {source.title} …"):
        loaded = with_names_of(source.load(), colors)
    options = RobustnessOptions(
        names,
        own_strengths,
        tuple((classes or "").split(",")),
        method,
        stage,
        crop,
        value_range,
        threshold,
        frames_of_cine,
        limit,
        seed,
    )
    with stoppable(console) as stop, progress_on(console) as progress:
        frames = progress.add_task("Perturbed frames", total=None)
        run = Robustness(
            loaded,
            images,
            out,
            options,
            truth=truth,
            colors=colors,
            cases=cases,
            on_runs=lambda runs: progress.advance(frames, runs),
            cancelled=stop.is_set,
        )
        with locked(out):
            run.start()
            if run.unnamed:
                progress.print(f"[yellow]{len(run.unnamed)} images are not in the list of cases: each is a case.")
            progress.update(frames, description="Estimating")
            cost = run.estimate()
            progress.print(_plan(run, cost.runs, cost.seconds), markup=False, soft_wrap=True)
            if not yes and (cost.seconds or 0) > _LONG and not stop.is_set():
                progress.stop()
                _ask(console)
                progress.start()
            progress.update(frames, description="Perturbed frames", total=cost.runs)

            def on_image(name: str, error: str) -> None:
                if error:
                    progress.print(f"[yellow]{escape(name)}: {escape(error)}", soft_wrap=True)

            result = finished(run, on_image)
            if result is None:
                kept = len(run.store.rows)
                text = f"Stopped: {kept} rows are kept in {out.resolve()}; the same command goes on."
                console.print(text, markup=False, soft_wrap=True)
                raise typer.Exit(INTERRUPTED)
            write_result(out, result)
    for sentence in result.sentences:
        console.print(f"• {sentence}", markup=False, soft_wrap=True)
    console.print(f"\nWritten to {out.resolve()}", soft_wrap=True, markup=False)
    raise typer.Exit(1 if result.errors else 0)


def _plan(run: Robustness, runs: int, seconds: float | None) -> str:
    """Return in words what will be done, and how long it takes."""
    count = len(run.images)
    chosen = f"{count} of {run.found} images" if count < run.found else f"{count} images"
    earlier = f"; {len(run.store.rows)} rows are there already" if run.store.rows else ""
    takes = "" if seconds is None else f", about {duration(seconds)}"
    return (
        f"{chosen}; {len(run.perturbations)} perturbations, {run.runs_of_frame} runs for each frame on "
        f"{run.network.device}{earlier}: {runs} runs{takes}"
    )


def _ask(console: Console) -> None:
    """Ask whether to begin, where somebody can answer."""
    if console.is_terminal and sys.stdin.isatty() and not typer.confirm("Begin?", default=True):
        raise typer.Exit(INTERRUPTED)
