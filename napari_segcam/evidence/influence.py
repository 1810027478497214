"""Influence: whether a stage takes part in the mask at all."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from napari_segcam.evidence.hiding import Reference, dice_loss, score_loss, spatial_mean
from napari_segcam.explanation.stage_replay import StageReplay

TAKES_PART = 0.05  # smallest loss of the mask or the score at which a stage takes part


@dataclass(frozen=True)
class Influence:
    """Loss of the mask and of the score when each channel of a stage's map is replaced by its spatial mean.

    Attributes:
        mask: 1 − Dice between the masks of the explained class before and after; 0 where both are empty; None for a
            network that classifies the whole frame.
        score: (S − S') / |S| of the explained score; None where S is 0. Negative where the score rises.
        region_is_mask: whether the region is the predicted mask: then the mask's loss counts, else the score's.
    """

    mask: float | None
    score: float | None
    region_is_mask: bool

    @property
    def value(self) -> float | None:
        """The loss that counts."""
        return self.mask if self.region_is_mask else self.score

    @property
    def takes_part(self) -> bool | None:
        """Whether the stage takes part; None where that is undefined."""
        return None if self.value is None else abs(self.value) >= TAKES_PART


@torch.no_grad()
def influence(replay: StageReplay, *, region_is_mask: bool, reference: Reference = spatial_mean) -> Influence:
    """Measure the influence of a stage.

    Args:
        replay: of the stage.
        region_is_mask: whether the region is the predicted mask.
        reference: replaces the map.

    Raises:
        Cancelled: if the user cancels it.
    """
    output = replay(reference(replay.activations)[None].clone())
    return Influence(dice_loss(replay, output), score_loss(replay, output), region_is_mask)
