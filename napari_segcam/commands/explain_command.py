"""The command ``explain``: one image or cine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_segcam.commands.dicom.dicom_options import DicomObjectOptions
from napari_segcam.commands.network_options import Device, Model, NetworkOptions
from napari_segcam.commands.options import (
    EVIDENCE,
    EvidenceOptions,
    HeatmapOptions,
    InputOptions,
    explain_options,
    frame_numbers,
    given_options,
    with_option_groups,
)
from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.commands.truth_options import TruthColors
from napari_segcam.commands.waits.bars import waiting
from napari_segcam.commands.waits.stopped import INTERRUPTED
from napari_segcam.errors import SegcamError
from napari_segcam.heat_colormaps import DEFAULT_COLORMAP

if TYPE_CHECKING:
    from napari_segcam.commands.dicom.explained_objects import DicomRequest
    from napari_segcam.dicom_objects.exporting.options import DicomOptions
    from napari_segcam.imaging.cine import Cine

_PICTURES = "Pictures"


@with_option_groups
def explain(
    context: typer.Context,
    image: Annotated[
        Path,
        typer.Argument(
            metavar="IMAGE",
            help="A still, video, DICOM or research file, or a folder of images. FILE::NAME picks one of the arrays in "
            "a file.",
        ),
    ],
    *,
    model: Model = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder to write to.")] = Path("explanation"),
    heatmaps: HeatmapOptions,
    truth: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The true mask, for the regions false-positive and false-negative: one image, or one per frame.",
        ),
    ] = None,
    truth_colors: TruthColors = None,
    frames: Annotated[
        str, typer.Option(metavar="NUMBERS", help="Frames of a cine: all, or numbers and ranges such as 0,10-20.")
    ] = "all",
    inputs: InputOptions,
    overlay: Annotated[
        str,
        typer.Option(
            metavar="KINDS",
            help="heat, contour (heat with the outline of the mask) or side-by-side; several separated by commas.",
            rich_help_panel=_PICTURES,
        ),
    ] = "contour",
    colormap: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="inferno, magma, viridis, cividis, turbo (not uniform), or any other colormap of cmap.",
            rich_help_panel=_PICTURES,
        ),
    ] = DEFAULT_COLORMAP,
    opacity: Annotated[
        float,
        typer.Option(metavar="NUMBER", help="Opacity of the strongest heat, 0 to 1.", rich_help_panel=_PICTURES),
    ] = 0.6,
    movie: Annotated[
        str | None,
        typer.Option(
            metavar="STAGES",
            help="Write MP4 movies of these stages too, separated by commas. They show the first kind of --overlay, "
            "with one color scale for all frames.",
            rich_help_panel=_PICTURES,
        ),
    ] = None,
    members: Annotated[
        bool,
        typer.Option("--members", help="For an ensemble: write what each member gives too.", rich_help_panel=_PICTURES),
    ] = False,
    evidence: EvidenceOptions,
    crosscheck: Annotated[
        bool,
        typer.Option(
            "--crosscheck",
            help="Compute each heatmap with the package grad-cam too, compare them, and write crosscheck.csv.",
            rich_help_panel=EVIDENCE,
        ),
    ] = False,
    dicom: DicomObjectOptions,
    device: Device = "auto",
    network: NetworkOptions,
) -> None:
    """Write the masks, heatmaps and attention figures of an image or cine."""
    dicom_options = dicom.parsed()
    from napari_segcam.imaging.opening import open_cine

    # Before torch is imported: a file that is refused needs neither its time nor its memory.
    cine = open_cine(image)
    request = None if dicom_options is None else _dicom_request(cine, dicom_options)

    from napari_segcam.batch.color_tables.color_table import read_colors
    from napari_segcam.batch.color_tables.named_classes import with_names_of
    from napari_segcam.batch.ground_truth import GroundTruth
    from napari_segcam.commands.explain_cine import explain_cine
    from napari_segcam.commands.image_summary import print_notes, print_scan_note
    from napari_segcam.explanation.external.catalog import check_grad_cam
    from napari_segcam.imaging.scan.region import parse_crop
    from napari_segcam.network.ensemble.ensemble import Ensemble
    from napari_segcam.reporting.overlay_style import OverlayStyle

    if crosscheck:
        check_grad_cam()
    console = PlainConsole()
    style = OverlayStyle(tuple(dict.fromkeys(overlay.split(","))), colormap, opacity)
    if inputs.value_range is not None:
        cine.set_value_range(*inputs.value_range)
    print_notes(cine, console)
    parse_crop(inputs.crop)  # a wrong crop is refused before the network is loaded
    if inputs.crop == "auto":
        print_scan_note(cine, console)
    numbers = frame_numbers(frames, len(cine))
    if request is not None:
        numbers = sorted(set(numbers))  # as DICOM objects hold frames
    if movie is not None:
        _check_movie(numbers, image)
    options = explain_options(heatmaps, inputs, evidence)
    colors = None if truth_colors is None else read_colors(truth_colors)
    source = network.source(model, device)
    with waiting(console, f"Loading {source.title} …"):
        loaded = with_names_of(source.load(), colors)
    if members and not isinstance(loaded, Ensemble):
        raise SegcamError("--members writes what each member of an ensemble gives, but this is one network.")
    is_complete = explain_cine(
        loaded,
        cine,
        numbers,
        options,
        out,
        console,
        GroundTruth.of_file(truth, loaded, colors) if truth else None,
        style=style,
        movies=movie.split(",") if movie is not None else [],
        command_options=_without_folders(given_options(context)),
        crosscheck=crosscheck,
        members=members,
        dicom=request,
    )
    if not is_complete:
        raise typer.Exit(INTERRUPTED)


def _dicom_request(cine: Cine, options: DicomOptions) -> DicomRequest:
    from napari_segcam.commands.dicom.explained_objects import DicomRequest
    from napari_segcam.dicom_objects.export import check_dicom_export

    return DicomRequest(check_dicom_export(cine), options)


def _check_movie(numbers: list[int], image: Path) -> None:
    from napari_segcam.reporting.movie import check_movies

    check_movies()
    if len(numbers) < 2:
        raise SegcamError(f"--movie needs several frames, but only one of {image.name} is explained.")


def _without_folders(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options for the provenance. Paths become names: folders may name patients and users."""
    plain: dict[str, Any] = {}
    for name, value in options.items():
        if isinstance(value, (list, tuple)):  # one checkpoint, or those of an ensemble
            names = [entry.name if isinstance(entry, Path) else entry for entry in value]
            plain[name] = names[0] if len(names) == 1 else names
        else:
            plain[name] = value.name if isinstance(value, Path) else value
    return plain
