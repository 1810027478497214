"""The options of the command line that say which network is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_segcam.budget import INPUT_SIDE
from napari_segcam.errors import SegcamError

if TYPE_CHECKING:
    from napari_segcam.network.source import ModelSource

# Panels of --help.
NETWORK = "Network"
NETWORK_OUTPUT = "Output of the network"

Model = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="The checkpoint; given several times, an ensemble of all of them. Not needed with --network-factory.",
        rich_help_panel=NETWORK,
    ),
]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto, cuda, cuda:N, mps or cpu.", rich_help_panel=NETWORK)]


@dataclass(frozen=True)
class NetworkOptions:
    """How a checkpoint becomes a network."""

    image_size: Annotated[
        int | None,
        typer.Option(metavar="PIXELS", help="Resize every frame to this square size.", min=8, rich_help_panel=NETWORK),
    ] = None
    architecture: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="SMP architecture, if it is not recognized from the weights.",
            rich_help_panel=NETWORK,
        ),
    ] = None
    encoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="SMP encoder, if it is not recognized from the weights.", rich_help_panel=NETWORK
        ),
    ] = None
    network_factory: Annotated[
        str | None,
        typer.Option(
            metavar="FUNCTION",
            help="package.module:function that returns the network. This runs its code. The weights must fit.",
            rich_help_panel=NETWORK,
        ),
    ] = None
    classes_overlap: Annotated[
        bool | None,
        typer.Option(
            "--classes-overlap/--classes-exclusive",
            help="Whether a pixel can have several classes (sigmoid) or exactly one (softmax, the first class is the "
            "background). Default: what the network or its model card says.",
            rich_help_panel=NETWORK_OUTPUT,
        ),
    ] = None
    output: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which output to read, if the network returns several. inspect lists them.",
            rich_help_panel=NETWORK_OUTPUT,
        ),
    ] = None
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which network to load, if the checkpoint holds several: teacher, or models.0. Of a result folder of "
            "nnU-Net, a fold such as fold_1, or all for an ensemble of its folds.",
            rich_help_panel=NETWORK,
        ),
    ] = None

    accept_structure: Annotated[
        bool,
        typer.Option(
            "--accept-structure",
            help="Use a network of unknown names as its shapes read, with the assumptions that are listed.",
            rich_help_panel=NETWORK,
        ),
    ] = False

    tiles: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            help="Run the network on square tiles of this side and blend them, for large images.",
            min=8,
            max=INPUT_SIDE,
            rich_help_panel=NETWORK,
        ),
    ] = None
    tile_overlap: Annotated[
        float | None,
        typer.Option(
            metavar="PART",
            help="Part of a tile's side that neighbors share, with --tiles. Default: 0.5.",
            min=0,
            max=0.9,
            rich_help_panel=NETWORK,
        ),
    ] = None

    def check_size(self) -> None:
        """Raise a SegcamError if the options for the size contradict each other."""
        if self.tiles is None and self.tile_overlap is not None:
            raise SegcamError("--tile-overlap is for tiles: add --tiles PIXELS.")
        if self.tiles is not None and self.image_size is not None:
            raise SegcamError("--image-size resizes every frame, and --tiles keeps its pixels: choose one of them.")

    def size_rule(self) -> dict[str, object] | None:
        """Return the card's size rule that these options ask for; None for none.

        Raises:
            SegcamError: if they contradict each other.
        """
        self.check_size()
        if self.tiles is not None:
            overlap = {} if self.tile_overlap is None else {"overlap": self.tile_overlap}
            return {"rule": "tiles", "height": self.tiles, "width": self.tiles, **overlap}
        if self.image_size is not None:
            return {"rule": "resize", "height": self.image_size, "width": self.image_size}
        return None

    def source(self, models: Sequence[Path] | None, device: str) -> ModelSource:
        """Return the source that the network is loaded from: several checkpoints are an ensemble.

        Raises:
            SegcamError: if the options contradict each other.
        """
        from napari_segcam.network.source import ModelSource

        self.check_size()
        paths = [str(model) for model in models or ()]
        return ModelSource(
            paths[0] if paths else None,
            self.architecture,
            self.encoder,
            self.network_factory,
            device,
            self.image_size,
            self.classes_overlap,
            self.output,
            self.weights,
            int(self.accept_structure),
            tuple(paths[1:]),
            self.tiles,
            self.tile_overlap,
        )
