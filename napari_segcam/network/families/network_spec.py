"""The specification of a network: all that is needed to build it before its weights are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_segcam.network.families.decoders import Shapes
from napari_segcam.network.model_card import ModelCard


@dataclass(frozen=True)
class NetworkSpec:
    """How to build the network that weights belong to.

    Attributes:
        architecture: class or function of the library, such as ``"UnetPlusPlus"`` or ``"fcn_resnet50"``.
        encoder: its name in the library, such as ``"efficientnet-b5"``; empty if it has no name.
        in_channels: of the image.
        classes: channels of the output.
        options: further arguments of the class.
        assumed: options that neither the weights nor the settings next to them show → the assumed value as text. Those
            that are in ``options`` too can be set by the user.
        library: that has the architecture.
        unused: parts of the names of weights that are only used in training.
        card: input and output of the network, as far as the files next to the weights describe them.
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
        """Name for users: ``"MONAI DynUNet"``, but ``"Unet"`` for SMP, and the name itself for plain networks."""
        return self.architecture if self.library in ("SMP", "plain") else f"{self.library} {self.architecture}"


def network_shapes(shapes: Shapes, mark: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes of one network of a checkpoint, by names without the prefix of wrappers.

    Args:
        shapes: by full names.
        mark: start of a name in the network, such as ``"backbone."``.

    Returns:
        The shapes of the names with the same prefix as the mark; none if no name has the mark.
    """
    candidates = [name[: name.index(mark)] for name in shapes if name.startswith(mark) or f".{mark}" in name]
    prefixes = [prefix for prefix in candidates if not prefix or prefix.endswith(".")]
    if not prefixes:
        return {}
    prefix = min(prefixes, key=len)
    return {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}
