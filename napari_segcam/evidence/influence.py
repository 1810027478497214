"""Influence: whether a stage takes part in the mask at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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
        others: the loss that counts when the map is replaced by other references, by their name; None where undefined.
    """

    mask: float | None
    score: float | None
    region_is_mask: bool
    others: Mapping[str, float | None] = field(default_factory=dict, hash=False)

    @property
    def value(self) -> float | None:
        """The loss that counts."""
        return self.mask if self.region_is_mask else self.score

    @property
    def values(self) -> list[float]:
        """The loss that counts by each reference, the spatial mean first, without those that are undefined."""
        return [value for value in (self.value, *self.others.values()) if value is not None]

    @property
    def takes_part(self) -> bool | None:
        """Whether the stage takes part; None where that is undefined, or the references do not agree."""
        answers = {abs(value) >= TAKES_PART for value in self.values}
        return None if self.value is None or len(answers) != 1 else answers.pop()

    @property
    def is_unclear(self) -> bool:
        """Whether the stage takes part by one reference and not by another."""
        return self.value is not None and self.takes_part is None


@torch.no_grad()
def influence(
    replay: StageReplay,
    *,
    region_is_mask: bool,
    reference: Reference = spatial_mean,
    others: Mapping[str, Reference] | None = None,
) -> Influence:
    """Measure the influence of a stage.

    Args:
        replay: of the stage.
        region_is_mask: whether the region is the predicted mask.
        reference: replaces the map.
        others: more references, by name.

    Raises:
        Cancelled: if the user cancels it.
    """

    def losses(replacement: Reference) -> tuple[float | None, float | None]:
        output = replay(replacement(replay.activations)[None].clone())
        return dice_loss(replay, output), score_loss(replay, output)

    mask, score = losses(reference)
    by_others = {name: losses(other)[0 if region_is_mask else 1] for name, other in (others or {}).items()}
    return Influence(mask, score, region_is_mask, by_others)
