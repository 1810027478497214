"""A module with its weights, before it becomes a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import nn

from napari_segcam.network.model_card import ModelCard


@dataclass(frozen=True)
class LoadedModule:
    """A module with its weights, and what is known about it.

    Attributes:
        module: in eval mode, frozen, on the CPU.
        in_channels: channels of the image.
        file_card: card fields that the checkpoint's files give: how to prepare the image and read the output.
    """

    module: nn.Module
    in_channels: int
    architecture: str
    encoder: str = ""
    assumed: Mapping[str, str] = field(default_factory=dict)
    file_card: ModelCard | None = None
    warnings: tuple[str, ...] = ()
