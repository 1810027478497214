"""The command ``check``: a verdict on a network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from napari_segcam.commands.batch_progress import evidence_estimate
from napari_segcam.commands.image_summary import check_order
from napari_segcam.commands.network_options import NETWORK, Device, NetworkOptions
from napari_segcam.commands.options import (
    EXPLANATION,
    EvidenceOptions,
    HeatmapOptions,
    InputOptions,
    explain_options,
    with_option_groups,
)
from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.commands.truth_options import Tolerance, TruthColors
from napari_segcam.commands.waits.bars import progress_on, waiting
from napari_segcam.commands.waits.stopped import INTERRUPTED, stoppable
from napari_segcam.errors import SegcamError

if TYPE_CHECKING:
    from napari_segcam.batch.check.verdict import Verdict

_IMAGES = "Images and true masks"
_ORDER = "The order is: napari-segcam check MODEL IMAGES."


@dataclass(frozen=True)
class CheckedMethods(HeatmapOptions):
    """Which heatmaps are checked."""

    methods: Annotated[
        str,
        typer.Option(metavar="NAMES", help="CAM methods to compare, separated by commas.", rich_help_panel=EXPLANATION),
    ] = "gradcam,gradcam++,layercam,hirescam"


@with_option_groups
def check(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="The checkpoint of the network. Not needed with --model.")
    ],
    images: Annotated[
        Path | None,
        typer.Argument(
            metavar="IMAGES",
            help="A folder of images and cines, a CSV list with a column image, or one image or cine.",
        ),
    ] = None,
    *,
    more_models: Annotated[
        list[Path] | None,
        typer.Option(
            "--model",
            metavar="FILE",
            help="A checkpoint of an ensemble, besides MODEL if that is given; may be given several times.",
            rich_help_panel=NETWORK,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to write to.")] = Path("check"),
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="A folder of true masks, as for batch, to find out how well doubt ranks bad masks.",
            rich_help_panel=_IMAGES,
        ),
    ] = None,
    truth_colors: TruthColors = None,
    tolerance: Tolerance = 1.0,
    limit: Annotated[
        int,
        typer.Option(
            metavar="COUNT",
            help="Check at most so many images: a random sample of them.",
            min=1,
            rich_help_panel=_IMAGES,
        ),
    ] = 20,
    frames_of_cine: Annotated[
        int,
        typer.Option(
            metavar="COUNT",
            help="Check at most so many frames of each cine, evenly spread.",
            min=1,
            rich_help_panel=_IMAGES,
        ),
    ] = 3,
    seed: Annotated[
        int, typer.Option(metavar="NUMBER", help="Seed of the random sample.", rich_help_panel=_IMAGES)
    ] = 0,
    heatmaps: CheckedMethods,
    inputs: InputOptions,
    evidence: EvidenceOptions,
    pdf: Annotated[bool, typer.Option(help="Write a PDF too.")] = True,
    device: Device = "auto",
    network: NetworkOptions,
) -> None:
    """Say what the heatmaps of a network are worth: which stage to look at, and which method.

    It measures on some images which stages take part in the mask, on which method's maps the mask hangs, whether
    burned-in graphics decide, and which masks are doubtful. It writes check.html, check.json, check.csv and check.pdf.
    Without --evidence, it takes all measures but stability.
    """
    from napari_segcam.batch.check.checking import Check
    from napari_segcam.batch.check.writing import write_check
    from napari_segcam.batch.color_tables.color_table import read_colors
    from napari_segcam.batch.color_tables.named_classes import with_names_of
    from napari_segcam.imaging.scan.region import parse_crop
    from napari_segcam.reporting.report.writing import need_report

    console = PlainConsole()
    need_report(pdf=pdf)
    models = [*([] if images is None and more_models else [model]), *(more_models or ())]
    images = model if images is None and more_models else images
    if images is None:
        raise SegcamError(f"There is no folder of images, list or image given. {_ORDER}")
    for checkpoint in models:
        check_order(checkpoint, images, _ORDER)
    parse_crop(inputs.crop)
    options = explain_options(heatmaps, inputs, evidence if evidence.evidence is not None else _usual(evidence))
    options = replace(options, tolerance=tolerance)
    colors = None if truth_colors is None else read_colors(truth_colors)
    source = network.source(models, device)
    with waiting(console, f"Loading {source.title} …"):
        loaded = with_names_of(source.load(), colors)
    with stoppable(console) as stop, progress_on(console) as progress:
        task = progress.add_task("Images", total=None)
        measures = progress.add_task("Evidence", total=None, visible=False)
        checked = Check(
            images,
            out,
            loaded,
            options,
            truth=truth,
            colors=colors,
            limit=limit,
            frames_of_cine=frames_of_cine,
            seed=seed,
            progress=lambda measure, done, total: progress.update(
                measures, description=measure, completed=done, total=total, visible=True
            ),
            cancelled=stop.is_set,
        )
        count = len(checked.images)
        chosen = f"{count} of {checked.found} images" if count < checked.found else f"{count} images"
        progress.print(f"{chosen}; {', '.join(options.methods)} on {loaded.device}", markup=False)
        progress.update(task, description="Estimating")
        if (seconds := checked.evidence_seconds()) is not None:
            progress.print(evidence_estimate(seconds, count), soft_wrap=True)
        progress.update(task, description="Images", total=count)
        rows, errors, done = [], {}, 0
        for image in checked:
            done += 1
            rows += image.rows
            if image.error:
                errors[image.name] = image.error
                progress.print(f"[yellow]{escape(image.name)}: {escape(image.error)}", soft_wrap=True)
            progress.advance(task)
        progress.update(measures, visible=False)
    stopped = done < count
    if not rows:
        if stopped:
            console.print("Stopped before the first image was finished: nothing is written.")
            raise typer.Exit(INTERRUPTED)
        raise SegcamError(f"None of the {count} images could be checked; the first: {next(iter(errors.values()), '')}")
    verdicts = write_check(out, checked, rows, errors, stopped=stopped, pdf=pdf)
    _print_verdicts(verdicts, console)
    beginning = f"Stopped: {done} of {count} images. " if stopped else ""
    console.print(f"{beginning}Written to {out.resolve()}", soft_wrap=True, markup=False)
    if stopped:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(1 if errors else 0)


def _usual(evidence: EvidenceOptions) -> EvidenceOptions:
    """Return the options with all measures but stability, on which no part of the verdict rests."""
    from napari_segcam.batch.evidence import EVIDENCE_NAMES

    return EvidenceOptions(",".join(name for name in EVIDENCE_NAMES if name != "stability"), evidence.null)


def _print_verdicts(verdicts: list[Verdict], console: Console) -> None:
    for verdict in verdicts:
        console.print(f"\n[bold]{escape(verdict.summary.class_name)}")
        for sentence in verdict.sentences:
            console.print(f"• {sentence}", markup=False, soft_wrap=True)
    console.print()
