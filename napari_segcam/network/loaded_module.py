"""A module with its weights, before it becomes a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from napari_segcam.errors import SegcamError
from napari_segcam.network.model_card import ModelCard, make_card
from napari_segcam.network.whole_network import WholeNetwork


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

    def complete_card(self, card: ModelCard | None, name: str) -> ModelCard:
        """Return the card to use: fields from the user's card, then the checkpoint's files, then the weights.

        Args:
            card: the user's.
            name: of the checkpoint, for the error.

        Raises:
            SegcamError: if the card contradicts the weights.
        """
        file_card = make_card({"input_channels": self.in_channels}, self.file_card)
        if card is None:
            return file_card
        user_fields = card.model_dump(exclude_unset=True)
        if self.file_card is not None and self.file_card.structure is not None:
            user_fields.pop("structure", None)  # it may have been accepted for other weights
        if user_fields.get("input_channels", self.in_channels) != self.in_channels:
            raise SegcamError(
                f"The model card of {name} says {card.input_channels} input channels, but the weights take "
                f"{self.in_channels}. Correct input_channels in the card."
            )
        if user_fields.get("size", {}).get("rule") == "pad" and isinstance(self.module, WholeNetwork):
            user_fields["size"] = _size_of_unscaled(self.module, user_fields["size"])
        return make_card(user_fields, file_card)


def _size_of_unscaled(module: WholeNetwork, size: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the size rule for frames whose pixels keep their size: tiles, if the network takes only one size."""
    if module.image_size is None:
        return size
    return {"rule": "tiles", "height": module.image_size[0], "width": module.image_size[1]}
