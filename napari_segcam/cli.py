"""The command line: ``napari-segcam demo | inspect | explain``. It runs without Qt unless a window is asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from napari_segcam import __version__
from napari_segcam.errors import SegcamError

if TYPE_CHECKING:
    from napari_segcam.network.network import Network

app = typer.Typer(
    name="napari-segcam",
    help="See where a segmentation network looked: masks and stage-by-stage Grad-CAM heatmaps.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_console = Console()
_REGIONS = (
    "What is explained: mask, image, component, component:X,Y, rim, rim:WIDTH, X,Y (a pixel), LEFT,TOP,RIGHT,BOTTOM "
    "(a box), false-positive or false-negative (of a --truth)."
)
_INTERRUPTED = 130  # the exit code by which shells know Ctrl-C

Device = Annotated[str, typer.Option(help="auto, cuda, cuda:N, mps or cpu.")]
Architecture = Annotated[str | None, typer.Option(help="An SMP architecture, where the weights do not tell.")]
Encoder = Annotated[str | None, typer.Option(help="An SMP encoder, where the weights do not tell.")]
Methods = Annotated[str, typer.Option(help="CAM methods, separated by commas.")]
Stages = Annotated[str, typer.Option(help="all, main, encoder, decoder, or names separated by commas.")]
Factory = Annotated[
    str | None,
    typer.Option(
        "--network-factory",
        help="package.module:function that makes the network. This runs its code; the weights must fit.",
    ),
]
ImageSize = Annotated[int | None, typer.Option(help="Resize every frame to this many pixels square.", min=8)]


def main() -> None:
    """Run the command line; a user's fault is one line and exit code 2."""
    try:
        app()
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
        Path | None, typer.Argument(help="A checkpoint file or save_pretrained folder; with a factory not needed.")
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
    class_colour: Annotated[list[str] | None, typer.Option(help="As #rrggbb, one for each class.")] = None,
    normalisation: Annotated[str | None, typer.Option(help="imagenet, unit, zscore, custom or none.")] = None,
    mean: Annotated[str | None, typer.Option(help="For custom: numbers separated by commas.")] = None,
    std: Annotated[str | None, typer.Option(help="For custom: numbers separated by commas.")] = None,
    image_size: ImageSize = None,
    threshold: Annotated[float | None, typer.Option(help="That cuts the probability of a single class.")] = None,
    notes: Annotated[str | None, typer.Option(help="What users should know.")] = None,
) -> None:
    """Show what a checkpoint is: architecture, encoder, classes, input, stages. Write its model card."""
    from napari_segcam.network.loading import load_network, save_card
    from napari_segcam.network.model_card import card_of, find_card

    fields = {
        "architecture": architecture,
        "encoder": encoder,
        "options": _named_values(option),
        "class_names": class_name,
        "class_colours": class_colour,
        "normalisation": normalisation,
        "mean": mean.split(",") if mean else None,
        "std": std.split(",") if std else None,
        "size": {"rule": "resize", "height": image_size, "width": image_size} if image_size else None,
        "threshold": threshold,
        "notes": notes,
    }
    given = {name: value for name, value in fields.items() if value}
    with _console.status(f"Reading {checkpoint or network_factory} …"):
        card = card_of(given, find_card(checkpoint) if checkpoint else None) if given else None
        network = load_network(checkpoint, device, factory=network_factory, card=card)
    _print_network(network)
    if write_card:
        if checkpoint is None:
            raise SegcamError("A model card lies beside a checkpoint, but none is given.")
        _console.print(f"Written: {save_card(network, checkpoint, force=force)}", soft_wrap=True)


def _named_values(options: list[str] | None) -> dict[str, object]:
    """``NAME=VALUE`` with values as YAML writes them: ``decoder_atrous_rates=[6, 12, 18]``."""
    import yaml

    values = {}
    for option in options or []:
        name, equals, value = option.partition("=")
        if not equals:
            raise SegcamError(f"--option {option} is not understood: write NAME=VALUE.")
        try:
            values[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise SegcamError(f"--option {option} is not understood: {' '.join(str(error).split())}.") from error
    return values


def _print_network(network: Network) -> None:
    from napari_segcam.network.stages import main_stages

    card = Table(show_header=False, box=None)
    for label, value in _facts(network).items():
        card.add_row(f"[bold]{label}", escape(value))
    _console.print(card)
    stages = Table("stage", "kind", "stride", "channels", "layer", caption="bold: what --stages main takes")
    main = main_stages(network.stages)
    for stage in network.stages:
        layer = stage.layer if stage.output is None else f"{stage.layer}[{stage.output}]"
        name = f"[bold]{stage.name}" if stage in main else stage.name
        stages.add_row(name, stage.kind, str(stage.stride), str(stage.channels), escape(layer))
    _console.print(stages)
    for warning in network.warnings:
        _console.print(f"[yellow]{escape(warning)}")


@app.command()
def explain(
    image: Annotated[Path, typer.Argument(help="A still, a video, a DICOM file, or a folder of images.")],
    model: Annotated[Path | None, typer.Option(help="The checkpoint; with a factory not needed.")] = None,
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("explanation"),
    methods: Methods = "gradcam",
    stages: Stages = "main",
    classes: Annotated[str | None, typer.Option(help="Class names or numbers, separated by commas.")] = None,
    region: Annotated[str, typer.Option(help=_REGIONS)] = "mask",
    score: Annotated[str, typer.Option(help="logit, or probability, which asks where it doubts.")] = "logit",
    truth: Annotated[
        Path | None,
        typer.Option(help="The true mask, for its errors: one image, or as many as the cine."),
    ] = None,
    frames: Annotated[str, typer.Option(help="Of a cine: all, or numbers and ranges such as 0,10-20.")] = "all",
    crop: Annotated[
        str, typer.Option(help="What the network sees: none (all), auto (the scan), or LEFT,TOP,RIGHT,BOTTOM.")
    ] = "none",
    preview: Annotated[
        bool, typer.Option("--preview", help="Of Score-CAM: run an eighth of the channels, predict the rest.")
    ] = False,
    autocast: Annotated[bool, typer.Option("--autocast", help="Compute in bfloat16, on an NVIDIA GPU.")] = False,
    device: Device = "auto",
    image_size: ImageSize = None,
    architecture: Architecture = None,
    encoder: Encoder = None,
    network_factory: Factory = None,
) -> None:
    """Write the masks, the heatmaps and the attention figures of an image or cine."""
    from napari_segcam.batch.wishes import Wishes
    from napari_segcam.commands.explaining import explain_cine
    from napari_segcam.explanation.stage_maps import find_method
    from napari_segcam.imaging.opening import open_cine
    from napari_segcam.imaging.scan_region import parse_crop
    from napari_segcam.network.loading import load_network

    cine = open_cine(image)
    parse_crop(crop, cine)  # refused, if it must be, before the network is loaded
    numbers = _frame_numbers(frames, len(cine))
    wishes = Wishes(
        methods=[find_method(method).name for method in methods.split(",")],
        stages=_names(stages),
        classes=(classes or "").split(","),
        region=region,
        score=score,
        crop=crop,
        preview=preview,
        autocast=autocast,
    )
    with _console.status(f"Loading {model or network_factory} …"):
        network = load_network(model, device, architecture=architecture, encoder=encoder, factory=network_factory)
    if image_size is not None:
        network = network.with_image_size(image_size)
    true_masks = open_cine(truth) if truth else None
    if not explain_cine(network, cine, numbers, wishes, out, _console, true_masks):
        raise typer.Exit(_INTERRUPTED)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("demo"),
    window: Annotated[bool, typer.Option("--window", help="Open the viewer with the sample and its results.")] = False,
    screenshot: Annotated[
        bool, typer.Option("--screenshot", help="With --window: save a picture of it and close.")
    ] = False,
) -> None:
    """Do the main job on the sample: phantom cine, demo checkpoint, mask and one heatmap per stage."""
    from napari_segcam.batch.wishes import Wishes
    from napari_segcam.commands.explaining import explain_cine
    from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
    from napari_segcam.imaging.opening import open_cine
    from napari_segcam.network.loading import load_network

    if window:
        from napari_segcam.viewer.demo_window import show_demo

        show_demo(out / "window.png" if screenshot else None)
    if not window or screenshot:
        explain_cine(load_network(demo_checkpoint()), open_cine(sample_cine()), [FRAME], Wishes(), out, _console)


def _facts(network: Network) -> dict[str, str]:
    card = network.card
    size = f"{card.size.rule} to {card.size.height}×{card.size.width}" if card.size.height else card.size.rule
    assumed = "; ".join(f"{name} {value}" for name, value in network.assumed.items())
    return {
        "checkpoint": network.name,
        "architecture": network.architecture,
        "encoder": network.encoder or "–",
        "input": f"{card.input_channels} channels, multiples of {network.stride} ({size}), {card.normalisation}",
        "classes": ", ".join(network.class_names),
        "output": _output(network),
        "assumed": assumed or "–",
        "device": str(network.device),
        "sha256": network.sha256 or "–",
    }


def _output(network: Network) -> str:
    if not network.segments:
        return "one score per class for the whole image, no mask"
    return "a mask of the likeliest class" if network.has_background else f"a mask cut at {network.card.threshold:g}"


def _names(stages: str) -> str | list[str]:
    return stages if stages in ("all", "main", "encoder", "decoder") else stages.split(",")


def _frame_numbers(wanted: str, count: int) -> list[int]:
    if wanted == "all":
        return list(range(count))
    numbers: list[int] = []
    for part in wanted.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise SegcamError(
                f"--frames {wanted} is not understood: give 'all', or numbers and ranges such as 0,10-20."
            )
        numbers += range(int(first), int(last or first) + 1)
    if not numbers or max(numbers) >= count:
        raise SegcamError(f"--frames {wanted} goes beyond this image's {count} frames, numbered 0 to {count - 1}.")
    return numbers
