"""The command ``compare``: two checkpoints on the same images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from napari_segcam.commands.image_summary import is_image
from napari_segcam.commands.network_options import Device, NetworkOptions
from napari_segcam.commands.options import INPUT, Threshold, ValueRange, with_option_groups
from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.commands.truth_options import TruthColors
from napari_segcam.commands.waits.bars import progress_on, waiting
from napari_segcam.commands.waits.stopped import INTERRUPTED, stoppable
from napari_segcam.errors import SegcamError

_IMAGES = "Images and true masks"
_ORDER = "The order is: napari-segcam compare A B IMAGES."


@with_option_groups
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="The first checkpoint, or an ensemble file.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="The second checkpoint, or an ensemble file.")],
    images: Annotated[
        Path,
        typer.Argument(
            metavar="IMAGES",
            help="A folder of images and cines, one image or cine, or a CSV list with a column image and, if you like, "
            "truth and case. Each file is a case, unless the list names cases.",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to write to.")] = Path("comparison"),
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="The classes to compare, separated by commas: NAME, or NAME_A=NAME_B where the names differ. Default: "
            "those that both have.",
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="A folder of true masks, as for batch: the Dice of A and of B, and their paired difference.",
            rich_help_panel=_IMAGES,
        ),
    ] = None,
    truth_colors: TruthColors = None,
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="COUNT",
            help="Compare at most so many images: a random sample of them.",
            min=1,
            rich_help_panel=_IMAGES,
        ),
    ] = None,
    frames_of_cine: Annotated[
        int | None,
        typer.Option(
            metavar="COUNT",
            help="Compare at most so many frames of each cine, evenly spread. Default: all.",
            min=1,
            rich_help_panel=_IMAGES,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            metavar="NUMBER", help="Seed of the intervals and of the random sample.", rich_help_panel=_IMAGES, min=0
        ),
    ] = 0,
    crop: Annotated[
        str,
        typer.Option(
            metavar="BOX",
            help="The part of the frame that both networks see: none, auto (the scan), or LEFT,TOP,RIGHT,BOTTOM.",
            rich_help_panel=INPUT,
        ),
    ] = "none",
    value_range: ValueRange = None,
    threshold: Threshold = None,
    pdf: Annotated[bool, typer.Option(help="Write the report as PDF too.")] = True,
    device: Device = "auto",
    network: NetworkOptions,
) -> None:
    """Compare two checkpoints on the same images: their masks, with each other and with true masks.

    Both segment the same frames. It writes comparison.csv (frames), cases.csv, comparison.json and the report
    comparison.html and comparison.pdf, whose intervals are over cases, never over frames. The options of the network
    hold for both.

    Exit code 0: all is well; 1: some images failed; 2: a wrong argument; 130: stopped by Ctrl-C, nothing is written.
    """
    from napari_segcam.batch.color_tables.color_table import read_colors
    from napari_segcam.batch.color_tables.named_classes import with_names_of
    from napari_segcam.comparing.comparing import CompareOptions, Comparing
    from napari_segcam.comparing.comparison import finished
    from napari_segcam.comparing.words import sentences
    from napari_segcam.comparing.writing import refuse_folder, write_comparison
    from napari_segcam.reporting.report.writing import need_report

    console = PlainConsole()
    need_report(pdf=pdf)
    _check_order(a, b, images)
    refuse_folder(out)
    colors = None if truth_colors is None else read_colors(truth_colors)
    networks = []
    for path in (a, b):
        source = network.source([path], device)
        with waiting(console, f"Loading {source.title} …"):
            networks.append(with_names_of(source.load(), colors))
    names = tuple(name for name in (classes or "").split(",") if name.strip())
    options = CompareOptions(names, crop, value_range, threshold, frames_of_cine, limit, seed)
    with stoppable(console) as stop, progress_on(console) as progress:
        frames = progress.add_task("Frames", total=None, visible=False)
        comparing = Comparing(
            networks[0],
            networks[1],
            images,
            out,
            options,
            truth=truth,
            colors=colors,
            on_frames=lambda done, total: progress.update(frames, completed=done, total=total, visible=total > 1),
            cancelled=stop.is_set,
        )
        _print_plan(comparing.notes, [pair.name for pair in comparing.pairs], progress.console)
        task = progress.add_task("Images", total=len(comparing.images))

        def on_image(name: str, error: str) -> None:
            if error:
                progress.print(f"[yellow]{escape(name)}: {escape(error)}", soft_wrap=True)
            progress.advance(task)

        comparison = finished(comparing, on_image)
        progress.update(frames, visible=False)
    if comparison is None:
        console.print("Stopped: nothing is written.")
        raise typer.Exit(INTERRUPTED)
    with waiting(console, "Writing the report …"):
        write_comparison(out, comparison, pdf=pdf)
    for summary in comparison.classes:
        console.print(f"\n[bold]{escape(summary.name)}")
        for sentence in sentences(summary):
            console.print(f"• {sentence}", markup=False, soft_wrap=True)
    console.print(f"\nWritten to {out.resolve()}", soft_wrap=True, markup=False)
    raise typer.Exit(1 if comparison.errors else 0)


def _check_order(a: Path, b: Path, images: Path) -> None:
    """Raise a SegcamError if something is not there, or checkpoints and images seem to be exchanged."""
    for path, name in ((a, "checkpoint A:"), (b, "checkpoint B:"), (images, "image, folder or list")):
        if not path.exists() and "::" not in str(path):
            raise SegcamError(f"There is no {name} {path}. {_ORDER}")
    for path in (a, b):
        if is_image(path):
            raise SegcamError(f"{path} is an image, not a checkpoint. {_ORDER}")
    if images.is_file() and images.suffix.lower() != ".csv" and not is_image(images):
        raise SegcamError(f"{images} is no image. {_ORDER}")


def _print_plan(notes: tuple[str, ...], names: list[str], console: Console) -> None:
    for note in notes:
        console.print(f"[yellow]{escape(note)}", soft_wrap=True)
    console.print(f"Classes: {', '.join(names)}", markup=False, soft_wrap=True)
