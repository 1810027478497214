"""Influence: whether a stage takes part in the mask at all."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from napari_segcam.evidence.hiding import Reference, lost_dice, lost_score, spatial_mean
from napari_segcam.explanation.stage_replay import StageReplay

TAKES_PART = 0.05  # of the mask


@dataclass(frozen=True)
class Influence:
    """What the mask and the score lose when a stage's whole map is replaced by each channel's spatial mean.

    Attributes:
        mask: 1 − Dice between the mask of the explained class before and after; 0 where both are empty; None for a
            network that classifies the whole frame.
        score: (S − S') / |S| of the explained score; None where S is 0. Negative where the score rises.
        of_mask: whether the mask's loss is the one to look at: the region is the predicted mask. Else the score's is.
    """

    mask: float | None
    score: float | None
    of_mask: bool

    @property
    def value(self) -> float | None:
        """The loss to look at."""
        return self.mask if self.of_mask else self.score

    @property
    def takes_part(self) -> bool | None:
        """Whether the stage takes part; None where that is undefined."""
        return None if self.value is None else abs(self.value) >= TAKES_PART


@torch.no_grad()
def influence(replay: StageReplay, *, of_mask: bool, reference: Reference = spatial_mean) -> Influence:
    """The influence of a stage.

    Args:
        replay: of the stage.
        of_mask: whether the region is the predicted mask.
        reference: what the map is replaced by.

    Raises:
        Cancelled: once the user has stopped it.
    """
    output = replay(reference(replay.activations)[None].clone())
    return Influence(lost_dice(replay, output), lost_score(replay, output), of_mask)
