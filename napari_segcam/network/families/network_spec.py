"""The blueprint: what must be known of a network to build it, before any weights are put in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_segcam.network.families.decoders import Shapes
from napari_segcam.network.model_card import ModelCard


@dataclass(frozen=True)
class NetworkSpec:
    """How to build the network that given weights belong to.

    Attributes:
        architecture: the library's class or function, ``"UnetPlusPlus"``, ``"fcn_resnet50"``.
        encoder: the library's name for it, ``"efficientnet-b5"``; empty where it has none of its own.
        in_channels: of the image.
        classes: channels of the output.
        options: further arguments of the class.
        assumed: what neither the weights nor the settings beside them tell → the value that stands in, in plain text.
            Those that are ``options`` too can be given by the user.
        library: where the architecture comes from.
        unused: beginnings or middles of the names of weights that are only used in training.
        card: what the files beside the weights say of feeding and reading the network.
    """

    architecture: str
    encoder: str
    in_channels: int
    classes: int
    options: dict[str, Any] = field(default_factory=dict)
    assumed: Mapping[str, str] = field(default_factory=dict)
    library: str = "SMP"
    unused: tuple[str, ...] = ()
    card: ModelCard | None = None

    @property
    def title(self) -> str:
        """The architecture as people should read it, ``"MONAI DynUNet"``; SMP's go by their bare names."""
        return self.architecture if self.library == "SMP" else f"{self.library} {self.architecture}"


def network_shapes(shapes: Shapes, mark: str) -> dict[str, tuple[int, ...]]:
    """The shapes of one network among all that a checkpoint holds, without what wrappers put before their names.

    Args:
        shapes: by full names.
        mark: how some name of the network begins, ``"backbone."``.

    Returns:
        The shapes of the names that share what stands before the mark; none if no name has it.
    """
    before = [name[: name.index(mark)] for name in shapes if name.startswith(mark) or f".{mark}" in name]
    prefixes = [prefix for prefix in before if not prefix or prefix.endswith(".")]
    if not prefixes:
        return {}
    prefix = min(prefixes, key=len)
    return {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}
