"""Options that several commands share, and how what is typed is understood."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_segcam.errors import SegcamError

_REGIONS = (
    "What is explained: mask, image, component, component:X,Y, boundary, boundary:WIDTH, X,Y (a pixel), "
    "LEFT,TOP,RIGHT,BOTTOM (a box), false-positive or false-negative (of a --truth)."
)

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
Overlay = Annotated[
    str,
    typer.Option(
        metavar="KINDS", help="heat, contour (of the mask, over the heat) or side-by-side; several with commas."
    ),
]
ColormapName = Annotated[
    str, typer.Option("--colormap", help="turbo, inferno, viridis, or any other name that cmap knows.")
]
Opacity = Annotated[float, typer.Option(help="Of the strongest heat, 0 to 1.")]
Preview = Annotated[
    bool, typer.Option("--preview", help="Of Score-CAM: run an eighth of the channels, predict the rest.")
]
Autocast = Annotated[bool, typer.Option("--autocast", help="Compute in bfloat16, on an NVIDIA GPU.")]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="That cuts the probability of a single class, or of each of several that overlap; by default the model "
        "card's."
    ),
]
OutputName = Annotated[
    str | None,
    typer.Option("--output", help="Of a network that returns several: the one that is read, as inspect names it."),
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Of a checkpoint that holds several networks: the one that is meant, as teacher or models.0.",
    ),
]
ClassesOverlap = Annotated[
    bool | None,
    typer.Option(
        "--classes-overlap/--classes-exclusive",
        help="Whether a pixel can have several classes (a sigmoid each) or has one (a softmax, the first is the "
        "background); by default as the network or its model card tells.",
    ),
]
ImageSize = Annotated[int | None, typer.Option(help="Resize every frame to this many pixels square.", min=8)]
Model = Annotated[Path | None, typer.Option(help="The checkpoint; with a factory not needed.")]
Classes = Annotated[str | None, typer.Option(help="Class names or numbers, separated by commas.")]
Region = Annotated[str, typer.Option(help=_REGIONS)]
ScoreKind = Annotated[str, typer.Option(help="logit, or probability, which asks where it doubts.")]
CropWords = Annotated[
    str, typer.Option(help="What the network sees: none (all), auto (the scan), or LEFT,TOP,RIGHT,BOTTOM.")
]
ValueRange = Annotated[
    tuple[float, float] | None,
    typer.Option(
        metavar="BLACK WHITE",
        help="The pixel values that mean black and white; by default what the file says, else what the values show.",
    ),
]


def stage_names(stages: str) -> str | list[str]:
    """Stages as ``Explainer`` takes them."""
    return stages if stages in ("all", "main", "encoder", "decoder") else stages.split(",")


def frame_numbers(wanted: str, count: int) -> list[int]:
    """The frames that ``all``, or numbers and ranges such as ``0,10-20``, mean.

    Raises:
        SegcamError: if they are not understood, or beyond the image's frames.
    """
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
