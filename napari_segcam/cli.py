"""The command line: ``napari-segcam demo | inspect | explain | batch | report``. No Qt unless a window is asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from napari_segcam.commands.inspecting import named_values, print_network
from napari_segcam.commands.options import (
    Architecture,
    Autocast,
    Classes,
    ClassesOverlap,
    ColormapName,
    CropWords,
    Device,
    Encoder,
    Factory,
    ImageSize,
    Methods,
    Model,
    Opacity,
    OutputName,
    Overlay,
    Preview,
    Region,
    ScoreKind,
    Stages,
    Threshold,
    ValueRange,
    Weights,
    frame_numbers,
    stage_names,
)
from napari_segcam.commands.terminal import PlainConsole
from napari_segcam.deprecated import with_present_options
from napari_segcam.errors import SegcamError
from napari_segcam.tuning.openmp import keep_threads_awake
from napari_segcam.version import __version__

app = typer.Typer(
    name="napari-segcam",
    help="See where a segmentation network looked: masks and stage-by-stage Grad-CAM heatmaps.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_console = PlainConsole()
_INTERRUPTED = 130  # the exit code by which shells know Ctrl-C


def main() -> None:
    """Run the command line; a user's fault is one line and exit code 2."""
    keep_threads_awake()
    try:
        app(with_present_options(sys.argv[1:]))
    except SegcamError as error:
        print(f"napari-segcam: {error}", file=sys.stderr)
        sys.exit(2)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and exit.")
    ] = False,
) -> None:
    """See where a segmentation network looked."""


@app.command()
def inspect(
    checkpoint: Annotated[
        Path | None,
        typer.Argument(
            metavar="CHECKPOINT|IMAGE",
            help="A checkpoint file or save_pretrained folder, with a factory not needed; or an image file.",
        ),
    ] = None,
    device: Device = "cpu",
    architecture: Architecture = None,
    encoder: Encoder = None,
    network_factory: Factory = None,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the architecture, where the weights do not tell.")
    ] = None,
    write_card: Annotated[bool, typer.Option(help="Write the model card beside the checkpoint.")] = False,
    force: Annotated[bool, typer.Option(help="Replace the model card that is there.")] = False,
    class_name: Annotated[list[str] | None, typer.Option(help="One for each class, in order.")] = None,
    class_color: Annotated[list[str] | None, typer.Option(help="As #rrggbb, one for each class.")] = None,
    normalization: Annotated[str | None, typer.Option(help="imagenet, unit, zscore, custom or none.")] = None,
    mean: Annotated[str | None, typer.Option(help="For custom: numbers separated by commas.")] = None,
    std: Annotated[str | None, typer.Option(help="For custom: numbers separated by commas.")] = None,
    image_size: ImageSize = None,
    classes_overlap: ClassesOverlap = None,
    output: OutputName = None,
    weights: Weights = None,
    output_activation: Annotated[
        str | None,
        typer.Option(
            help="What the network's own forward ends in, which is undone: sigmoid, softmax, log_sigmoid, log_softmax, "
            "tanh, or none for logits; by default what is found."
        ),
    ] = None,
    class_values: Annotated[
        list[str] | None,
        typer.Option(
            help="One for each class, in order: the numbers that its pixels have in true masks, with commas between."
        ),
    ] = None,
    threshold: Threshold = None,
    notes: Annotated[str | None, typer.Option(help="What users should know.")] = None,
) -> None:
    """Show what a checkpoint is: architecture, encoder, classes, input, stages. Write its model card.

    Of an image it shows frames, size, frame rate, pixel spacing, and what is taken for black and white.
    """
    from napari_segcam.commands.images import is_image, print_cine
    from napari_segcam.imaging.opening import open_cine
    from napari_segcam.network.loading import load_network, save_card
    from napari_segcam.network.model_card import card_of, find_card

    if checkpoint is not None and is_image(checkpoint):
        print_cine(open_cine(checkpoint), _console)
        return
    fields = {
        "architecture": architecture,
        "encoder": encoder,
        "options": named_values(option),
        "class_names": class_name,
        "class_colors": class_color,
        "class_values": [[part.strip() for part in values.split(",")] for values in class_values or []],
        "classes_overlap": classes_overlap,
        "output": output,
        "output_activation": output_activation,
        "normalization": normalization,
        "mean": mean.split(",") if mean else None,
        "std": std.split(",") if std else None,
        "size": {"rule": "resize", "height": image_size, "width": image_size} if image_size else None,
        "threshold": threshold,
        "notes": notes,
    }
    given = {name: value for name, value in fields.items() if value or value is False}
    with _console.status(f"Reading {checkpoint or network_factory} …"):
        card = card_of(given, find_card(checkpoint) if checkpoint else None) if given else None
        network = load_network(checkpoint, device, factory=network_factory, card=card, weights=weights)
    print_network(network, _console)
    if write_card:
        if checkpoint is None:
            raise SegcamError("A model card lies beside a checkpoint, but none is given.")
        _console.print(f"Written: {save_card(network, checkpoint, force=force)}", soft_wrap=True)


@app.command()
def explain(
    context: typer.Context,
    image: Annotated[
        Path,
        typer.Argument(
            help="A still, video, DICOM or research file, or a folder of images; FILE::NAME for one of several in it."
        ),
    ],
    model: Model = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("explanation"),
    methods: Methods = "gradcam",
    stages: Stages = "main",
    classes: Classes = None,
    region: Region = "mask",
    score: ScoreKind = "logit",
    truth: Annotated[
        Path | None,
        typer.Option(help="The true mask, for its errors: one image, or as many as the cine."),
    ] = None,
    frames: Annotated[str, typer.Option(help="Of a cine: all, or numbers and ranges such as 0,10-20.")] = "all",
    crop: CropWords = "none",
    value_range: ValueRange = None,
    preview: Preview = False,
    threshold: Threshold = None,
    autocast: Autocast = False,
    overlay: Overlay = "contour",
    colormap: ColormapName = "turbo",
    opacity: Opacity = 0.6,
    movie: Annotated[
        str | None,
        typer.Option(
            metavar="STAGES",
            help="Of a cine: these stages, separated by commas, also as MP4 movies of the first kind of --overlay, "
            "colored on one scale for all frames.",
        ),
    ] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Measure what each map is worth: evidence.csv. It takes minutes.")
    ] = False,
    null: Annotated[
        int, typer.Option(help="With --evidence: how often a map is moved elsewhere for comparison.", min=1, max=999)
    ] = 19,
    device: Device = "auto",
    image_size: ImageSize = None,
    architecture: Architecture = None,
    encoder: Encoder = None,
    network_factory: Factory = None,
    classes_overlap: ClassesOverlap = None,
    output: OutputName = None,
    weights: Weights = None,
) -> None:
    """Write the masks, the heatmaps and the attention figures of an image or cine."""
    from napari_segcam.imaging.opening import open_cine

    # Before torch is imported: a file that is refused needs neither its time nor its memory.
    cine = open_cine(image)

    from napari_segcam.batch.options import ExplainOptions
    from napari_segcam.batch.truth import Truth
    from napari_segcam.commands.explaining import explain_cine
    from napari_segcam.commands.images import print_notes, print_scan_note
    from napari_segcam.explanation.stage_maps import find_method
    from napari_segcam.imaging.scan.region import parse_crop
    from napari_segcam.network.source import ModelSource
    from napari_segcam.reporting.overlay_style import OverlayStyle

    look = OverlayStyle(tuple(dict.fromkeys(overlay.split(","))), colormap, opacity)
    if value_range is not None:
        cine.set_value_range(*value_range)
    print_notes(cine, _console)
    parse_crop(crop, cine)  # refused, if it must be, before the network is loaded
    if crop == "auto":
        print_scan_note(cine, _console)
    numbers = frame_numbers(frames, len(cine))
    if movie is not None:
        _refuse_movie_of_one(numbers, image)
    options = ExplainOptions(
        methods=[find_method(method).name for method in methods.split(",")],
        stages=stage_names(stages),
        classes=(classes or "").split(","),
        region=region,
        score=score,
        crop=crop,
        preview=preview,
        autocast=autocast,
        threshold=threshold,
        value_range=value_range,
    )
    checkpoint = str(model) if model is not None else None
    source = ModelSource(
        checkpoint, architecture, encoder, network_factory, device, image_size, classes_overlap, output, weights
    )
    with _console.status(f"Loading {source.title} …"):
        network = source.load()
    true_masks = Truth.of_file(truth, network) if truth else None
    movies = movie.split(",") if movie is not None else []
    typed = _plain(context.params)
    if not explain_cine(
        network,
        cine,
        numbers,
        options,
        out,
        _console,
        true_masks,
        look=look,
        movies=movies,
        typed=typed,
        evidence_draws=null if evidence else None,
    ):
        raise typer.Exit(_INTERRUPTED)


def _refuse_movie_of_one(numbers: list[int], image: Path) -> None:
    from napari_segcam.reporting.movie import check_movies

    check_movies()
    if len(numbers) < 2:
        raise SegcamError(f"--movie needs several frames, but only one of {image.name} is explained.")


def _plain(options: dict[str, object]) -> dict[str, object]:
    """Options for the provenance: of files only the names, for the folders may tell of patients and of users."""
    return {name: value.name if isinstance(value, Path) else value for name, value in options.items()}


@app.command()
def batch(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|LIST.csv",
            help="A folder of images, DICOM cines and videos, with all folders in it; or a list with the columns "
            "image and, if wanted, truth, its paths starting from where it lies.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder of the run; the same command goes on with it.")],
    model: Model = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="A folder of true masks named as their images, or with _mask, _seg, _GT, _Annotation added."),
    ] = None,
    truth_colors: Annotated[
        Path | None,
        typer.Option(help="Of masks that are painted: a CSV table name,r,g,b. By default the model card's colors."),
    ] = None,
    num_samples: Annotated[int | None, typer.Option(help="Draw so many of the images.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="That decides the draw.")] = 0,
    methods: Methods = "gradcam",
    stages: Stages = "main",
    classes: Classes = None,
    region: Region = "mask",
    score: ScoreKind = "logit",
    crop: CropWords = "none",
    value_range: ValueRange = None,
    preview: Preview = False,
    threshold: Threshold = None,
    autocast: Autocast = False,
    overlays: Annotated[
        bool, typer.Option("--overlays", help="Write the heat over each frame: gradcam/CLASS/NAME.jpg.")
    ] = False,
    parquet: Annotated[bool, typer.Option("--parquet", help="Write the results as Parquet, too.")] = False,
    pictures: Annotated[bool, typer.Option(help="Write a small sheet of each image for the report.")] = True,
    workers: Annotated[int, typer.Option(help="Processes that share the work on this machine.", min=1)] = 1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="tcp://HOST:PORT",
            help="A Dask scheduler whose workers do the work. They read the images, the masks and the model at the "
            "same paths as here, and need the same packages.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            help="Of each process; by default torch's choice, as for explain. With several workers 1 is fastest. They "
            "decide the last digits: a run keeps those it was begun with.",
            min=1,
        ),
    ] = None,
    device: Device = "auto",
    image_size: ImageSize = None,
    architecture: Architecture = None,
    encoder: Encoder = None,
    network_factory: Factory = None,
    classes_overlap: ClassesOverlap = None,
    output: OutputName = None,
    weights: Weights = None,
) -> None:
    """Write the attention figures of many images, with their overlap with the truth; go on with what was begun.

    Exit code 0: all is well; 1: some images failed; 2: a wrong argument; 130: stopped by Ctrl-C.
    """
    from napari_segcam.batch.cluster import Cluster
    from napari_segcam.batch.image_processing import Outputs
    from napari_segcam.batch.options import ExplainOptions
    from napari_segcam.batch.run import Batch
    from napari_segcam.batch.true_masks import read_colors
    from napari_segcam.commands.batching import run_on
    from napari_segcam.network.source import ModelSource

    options = ExplainOptions(
        methods=methods.split(","),
        stages=stage_names(stages),
        classes=(classes or "").split(","),
        region=region,
        score=score,
        crop=crop,
        preview=preview,
        autocast=autocast,
        threshold=threshold,
        value_range=value_range,
    )
    checkpoint = str(model) if model is not None else None
    colors = read_colors(truth_colors) if truth_colors is not None else None
    code = run_on(
        _console,
        lambda cancelled: Batch(
            source,
            out,
            ModelSource(
                checkpoint, architecture, encoder, network_factory, device, image_size, classes_overlap, output, weights
            ),
            options,
            truth=truth,
            truth_colors=colors,
            num_samples=num_samples,
            seed=seed,
            outputs=Outputs(pictures, overlays),
            parquet=parquet,
            cluster=Cluster(workers, scheduler or "") if workers > 1 or scheduler else None,
            threads=threads,
            cancelled=cancelled,
        ),
    )
    raise typer.Exit(code)


@app.command()
def report(
    run_dir: Annotated[Path, typer.Argument(help="The folder that batch wrote to.")],
    out: Annotated[Path | None, typer.Option(help="The HTML file; report.html in the run's folder if absent.")] = None,
    pdf: Annotated[bool, typer.Option(help="Write the PDF too, beside the HTML.")] = True,
    per_image: Annotated[bool, typer.Option(help="Give every image a page of its own.")] = True,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Numbers in the place of file names.")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Report a run that is unfinished.")] = False,
    title: Annotated[str, typer.Option(help="On the first page.")] = "Where the network looked",
) -> None:
    """Write the report of a batch: one HTML page that works offline, and a PDF. It runs no network."""
    from napari_segcam.commands.reporting import report_run
    from napari_segcam.reporting.report.content import Choices

    report_run(run_dir, out, pdf, partial, Choices(title, per_image, anonymous), _console)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("demo"),
    window: Annotated[bool, typer.Option("--window", help="Open the viewer with the sample and its results.")] = False,
    screenshot: Annotated[
        bool, typer.Option("--screenshot", help="With --window: save a picture of it and close.")
    ] = False,
) -> None:
    """Do the main job on the sample: phantom cine, demo checkpoint, mask and one heatmap per stage."""
    from napari_segcam.batch.options import ExplainOptions
    from napari_segcam.commands.explaining import explain_cine
    from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
    from napari_segcam.imaging.opening import open_cine
    from napari_segcam.network.loading import load_network

    if window:
        from napari_segcam.viewer.demo_window import show_demo

        show_demo(out / "window.png" if screenshot else None)
    if not window or screenshot:
        explain_cine(
            load_network(demo_checkpoint()), open_cine(sample_cine()), [FRAME], ExplainOptions(), out, _console
        )
