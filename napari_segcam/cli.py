"""The command line: ``napari-segcam demo | inspect | explain``. It runs without Qt unless a window is asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from napari_segcam import __version__
from napari_segcam.errors import SegcamError

if TYPE_CHECKING:
    from napari_segcam.imaging.cine import Cine
    from napari_segcam.network.network import Network

app = typer.Typer(
    name="napari-segcam",
    help="See where a segmentation network looked: masks and stage-by-stage Grad-CAM heatmaps.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_console = Console()

Device = Annotated[str, typer.Option(help="auto, cuda, cuda:N, mps or cpu.")]
Architecture = Annotated[str | None, typer.Option(help="An SMP architecture, where the weights do not tell.")]
Encoder = Annotated[str | None, typer.Option(help="An SMP encoder, where the weights do not tell.")]
Methods = Annotated[str, typer.Option(help="CAM methods, separated by commas.")]
Stages = Annotated[str, typer.Option(help="all, main, encoder, decoder, or names separated by commas.")]
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
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint file or save_pretrained folder.")],
    device: Device = "cpu",
    architecture: Architecture = None,
    encoder: Encoder = None,
) -> None:
    """Show what a checkpoint is: architecture, encoder, classes, input, stages."""
    from napari_segcam.network.loading import load_network
    from napari_segcam.network.stages import main_stages

    with _console.status(f"Reading {checkpoint} …"):
        network = load_network(checkpoint, device, architecture=architecture, encoder=encoder)
    card = Table(show_header=False, box=None)
    for label, value in _facts(network).items():
        card.add_row(f"[bold]{label}", value)
    _console.print(card)
    stages = Table("stage", "kind", "stride", "channels", "layer", caption="bold: what --stages main takes")
    main = main_stages(network.stages)
    for stage in network.stages:
        layer = stage.layer if stage.output is None else f"{stage.layer}[{stage.output}]"
        name = f"[bold]{stage.name}" if stage in main else stage.name
        stages.add_row(name, stage.kind, str(stage.stride), str(stage.channels), layer)
    _console.print(stages)
    for warning in network.warnings:
        _console.print(f"[yellow]{warning}")


@app.command()
def explain(
    image: Annotated[Path, typer.Argument(help="A still (PNG, JPEG, TIFF) or a DICOM still or cine.")],
    model: Annotated[Path, typer.Option(help="The checkpoint.")],
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("explanation"),
    methods: Methods = "gradcam",
    stages: Stages = "main",
    classes: Annotated[str | None, typer.Option(help="Class names or numbers, separated by commas.")] = None,
    frames: Annotated[str, typer.Option(help="Of a cine: all, or numbers and ranges such as 0,10-20.")] = "all",
    device: Device = "auto",
    image_size: ImageSize = None,
    architecture: Architecture = None,
    encoder: Encoder = None,
) -> None:
    """Write the masks, the heatmaps and the attention figures of an image or cine."""
    from napari_segcam.explanation.stage_maps import find_method
    from napari_segcam.imaging.opening import open_cine
    from napari_segcam.network.loading import load_network

    cine = open_cine(image)
    numbers = _frame_numbers(frames, len(cine))
    for method in methods.split(","):
        find_method(method)
    with _console.status(f"Loading {model} …"):
        network = load_network(model, device, architecture=architecture, encoder=encoder)
    if image_size is not None:
        network = network.with_image_size(image_size)
    _explain(network, cine, numbers, methods.split(","), _names(stages), (classes or "").split(","), out)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder to write to.")] = Path("demo"),
    window: Annotated[bool, typer.Option("--window", help="Open the viewer with the sample and its results.")] = False,
    screenshot: Annotated[
        bool, typer.Option("--screenshot", help="With --window: save a picture of it and close.")
    ] = False,
) -> None:
    """Do the main job on the sample: phantom cine, demo checkpoint, mask and one heatmap per stage."""
    from napari_segcam.demo import FRAME, demo_checkpoint, sample_cine
    from napari_segcam.imaging.opening import open_cine
    from napari_segcam.network.loading import load_network

    if window:
        from napari_segcam.viewer.demo_window import show_demo

        show_demo(out / "window.png" if screenshot else None)
    if not window or screenshot:
        _explain(load_network(demo_checkpoint()), open_cine(sample_cine()), [FRAME], ["gradcam"], "main", [""], out)


def _explain(
    network: Network,
    cine: Cine,
    numbers: list[int],
    methods: list[str],
    stages: str | list[str],
    classes: list[str],
    out: Path,
) -> None:
    from napari_segcam.explanation.explainer import Explainer
    from napari_segcam.explanation.target import Target
    from napari_segcam.reporting.exports import attention_rows, write_attention, write_explanation

    explainers = [Explainer(network, method, stages) for method in methods]
    indices = [network.class_index(int(name) if name.isdigit() else name or None) for name in classes]
    rows = []
    for number in track(numbers, description="Explaining", console=_console):
        frame = cine[number]
        for explainer in explainers:
            for index in indices:
                explanation = explainer(frame, Target(index), cine.value_range)
                folder = out
                if len(numbers) > 1:
                    folder /= f"frame_{number:04d}"
                if len(methods) > 1:
                    folder /= explainer.method.name
                if len(indices) > 1:
                    folder /= network.class_names[index]
                write_explanation(folder, frame, explanation, cine.value_range)
                rows += attention_rows(number, explanation)
    write_attention(out / "attention.csv", rows)
    if len(numbers) == 1:
        _print_attention(rows)
    _console.print(f"Written to {out.resolve()}", soft_wrap=True)


def _print_attention(rows: list[dict[str, object]]) -> None:
    table = Table("class", "method", "stage", "mean", "std", "in / out", title="Attention (raw heat)")
    for row in rows:
        ratio = row["ratio"]
        in_out = f"{ratio:.2f}" if isinstance(ratio, float) else f"undefined: {row['undefined']}"
        table.add_row(
            *(str(row[key]) for key in ("class", "method", "stage")), f"{row['mean']:.3g}", f"{row['std']:.3g}", in_out
        )
    _console.print(table)


def _facts(network: Network) -> dict[str, str]:
    card = network.card
    size = f"{card.size.rule} to {card.size.height}×{card.size.width}" if card.size.height else card.size.rule
    return {
        "checkpoint": network.name,
        "architecture": network.architecture,
        "encoder": network.encoder or "–",
        "input": f"{card.input_channels} channels, multiples of {network.stride} ({size}), {card.normalisation}",
        "classes": ", ".join(network.class_names),
        "threshold": str(card.threshold),
        "device": str(network.device),
        "sha256": network.sha256,
    }


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
