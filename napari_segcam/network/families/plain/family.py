"""A family of networks: what a repository publishes, and how its weights are recognized."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from napari_segcam.network.families.plain.parts.layer_shapes import LayerShapes


@dataclass(frozen=True)
class PlainFamily:
    """A network of a public repository.

    Attributes:
        name: of the network and its repository, to show to users: ``"UNet (milesial/Pytorch-UNet)"``.
        marks: names of weights that every network of the family has. The first is that of the first convolution.
        build: makes the module from the shapes of its weights, and from the options as keyword arguments. A module that
            returns several outputs by name has an attribute ``main_output``, the name of the one to read, and a module
            that takes images of one size has ``image_size``, height and width in pixels.
        options: what the shapes do not show and other versions of the network have otherwise → the published value.
        card: card fields that follow from the published training code.
        unused: as for ``NetworkSpec``.
    """

    name: str
    marks: tuple[str, ...]
    build: Callable[..., nn.Module]
    options: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    unused: tuple[str, ...] = ()

    def module(self, layers: LayerShapes, options: Mapping[str, Any] | None = None) -> nn.Module:
        """Build the module with its published options, or with other ones."""
        return self.build(layers, **{**self.options, **(options or {})})
