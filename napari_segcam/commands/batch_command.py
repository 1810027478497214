"""The command ``batch``: many images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from napari_segcam.commands.network_options import Device, Model, NetworkOptions
from napari_segcam.commands.options import (
    EvidenceOptions,
    HeatmapOptions,
    InputOptions,
    explain_options,
    with_option_groups,
)
from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.commands.truth_options import Tolerance, TruthColors

_IMAGES = "Images and true masks"
_OUTPUT = "What is written"
_PROCESSES = "Processes"


@with_option_groups
def batch(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|LIST.csv",
            help="A folder of images, DICOM cines and videos, with its subfolders; or a list with a column image and, "
            "if you like, truth. Paths in a list are relative to its own folder.",
        ),
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="The folder of the run. The same command resumes a run that was stopped."),
    ],
    model: Model = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="A folder of true masks with the names of their images, or with _mask, _seg, _GT or _Annotation "
            "added.",
            rich_help_panel=_IMAGES,
        ),
    ] = None,
    truth_colors: TruthColors = None,
    tolerance: Tolerance = 1.0,
    num_samples: Annotated[
        int | None,
        typer.Option(metavar="COUNT", help="Take a random sample of so many images.", min=1, rich_help_panel=_IMAGES),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="NUMBER", help="Seed of the random sample.", rich_help_panel=_IMAGES)
    ] = 0,
    heatmaps: HeatmapOptions,
    inputs: InputOptions,
    evidence: EvidenceOptions,
    overlays: Annotated[
        bool,
        typer.Option(
            "--overlays",
            help="Write the heat over each frame: gradcam/CLASS/NAME.jpg.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write the results as Parquet too.", rich_help_panel=_OUTPUT)
    ] = False,
    pictures: Annotated[
        bool, typer.Option(help="Write a small sheet of each image for the report.", rich_help_panel=_OUTPUT)
    ] = True,
    features: Annotated[
        bool,
        typer.Option(
            "--features",
            help="Keep the deepest features of each frame, which takes one more run of the network: report then says "
            "which cases look alike to the network, and whether failures do.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    workers: Annotated[
        int,
        typer.Option(
            metavar="COUNT",
            help="How many processes on this machine share the work.",
            min=1,
            rich_help_panel=_PROCESSES,
        ),
    ] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="A Dask scheduler, tcp://HOST:PORT, whose workers do the work. They need the same packages, and the "
            "images, masks and model at the same paths as here.",
            rich_help_panel=_PROCESSES,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="COUNT",
            help="Threads of each process. Default: torch's choice, as for explain. With several workers 1 is fastest. "
            "The last digits of the results depend on it, so a resumed run keeps its number.",
            min=1,
            rich_help_panel=_PROCESSES,
        ),
    ] = None,
    device: Device = "auto",
    network: NetworkOptions,
) -> None:
    """Write the attention figures of many images, and how good their masks are. Resume a run that was stopped.

    Exit code 0: all is well; 1: some images failed; 2: a wrong argument; 130: stopped by Ctrl-C.
    """
    from napari_segcam.batch.cluster import Cluster
    from napari_segcam.batch.color_tables.color_table import read_colors
    from napari_segcam.batch.image_processing import OutputOptions
    from napari_segcam.batch.run import Batch
    from napari_segcam.commands.batch_progress import run_with_progress

    options = replace(explain_options(heatmaps, inputs, evidence), tolerance=tolerance)
    colors = read_colors(truth_colors) if truth_colors is not None else None
    code = run_with_progress(
        PlainConsole(),
        lambda cancelled: Batch(
            source,
            out,
            network.source(model, device),
            options,
            truth=truth,
            truth_colors=colors,
            num_samples=num_samples,
            seed=seed,
            outputs=OutputOptions(pictures, overlays, features),
            parquet=parquet,
            cluster=Cluster(workers, scheduler or "") if workers > 1 or scheduler else None,
            threads=threads,
            cancelled=cancelled,
        ),
        workers,
    )
    raise typer.Exit(code)
