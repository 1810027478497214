"""Hiding: cells of a stage's map are replaced, and the mask before is compared with the mask after."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from napari_segcam.explanation.stage_replay import ReplayOutput, StageReplay

Reference = Callable[[torch.Tensor], torch.Tensor]
"""Makes what hidden cells are replaced by, ``(K, h, w)``, from a stage's map ``(K, h, w)``."""


def spatial_mean(activations: torch.Tensor) -> torch.Tensor:
    """Each channel's mean: what the stage says *where* is gone, what it says *how much* stays."""
    return activations.mean((1, 2), keepdim=True).expand_as(activations)


def blurred(activations: torch.Tensor) -> torch.Tensor:
    """The map strongly blurred: a Gaussian whose standard deviation is a quarter of the map's longer side, in cells."""
    for axis in (1, 2):
        length = activations.shape[axis]
        sigma = max(activations.shape[1:]) / 4
        at = torch.arange(length, dtype=activations.dtype, device=activations.device)
        weights = torch.exp(-((at[:, None] - at[None]) ** 2) / (2 * sigma**2))
        weights = weights / weights.sum(1, keepdim=True)  # the edge is a mean of what there is
        activations = torch.tensordot(activations, weights, dims=([axis], [1])).movedim(-1, axis)
    return activations


def with_hidden(activations: torch.Tensor, cells: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Maps ``(B, K, h, w)`` in which the cells ``(B, h, w)`` bool of ``(K, h, w)`` are those of a reference."""
    return torch.where(cells[:, None].to(activations.device), reference[None], activations[None])


def lost_dice(replay: StageReplay, output: ReplayOutput) -> float | None:
    """1 − Dice between the mask of the explained class before and after, of one map; 0 where both are empty.

    None for a network that classifies the whole frame.
    """
    before, after = replay.original.masks, output.masks
    if before is None or after is None:
        return None
    total = int(before.sum()) + int(after.sum())
    return 1 - 2 * int((before & after).sum()) / total if total else 0.0


def lost_score(replay: StageReplay, output: ReplayOutput) -> float | None:
    """(S − S') / |S| of the explained score before and after, of one map; None where S is 0."""
    before, after = float(replay.original.scores), float(output.scores)
    return (before - after) / abs(before) if before and math.isfinite(before) and math.isfinite(after) else None
