"""Hiding: replace cells of a stage's map, and compare the masks before and after."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from napari_segcam.explanation.stage_replay import ReplayOutput, StageReplay

Reference = Callable[[torch.Tensor], torch.Tensor]
"""Returns the replacement of hidden cells, ``(K, h, w)``, for a stage's map ``(K, h, w)``."""


def spatial_mean(activations: torch.Tensor) -> torch.Tensor:
    """Return each channel's mean: it removes the information *where*, and keeps *how much*."""
    return activations.mean((1, 2), keepdim=True).expand_as(activations)


def blur(activations: torch.Tensor) -> torch.Tensor:
    """Blur the map strongly, by a Gaussian whose standard deviation is a quarter of the map's longer side, in cells."""
    for axis in (1, 2):
        length = activations.shape[axis]
        sigma = max(activations.shape[1:]) / 4
        cells = torch.arange(length, dtype=activations.dtype, device=activations.device)
        weights = torch.exp(-((cells[:, None] - cells[None]) ** 2) / (2 * sigma**2))
        weights = weights / weights.sum(1, keepdim=True)  # at the edge, the mean of the cells that exist
        activations = torch.tensordot(activations, weights, dims=([axis], [1])).movedim(-1, axis)
    return activations


def map_of(other: torch.Tensor) -> Reference:
    """Return a reference that is the stage's map ``(K, h, w)`` in another frame."""
    return lambda _activations: other


def hide_cells(activations: torch.Tensor, cells: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Replace the cells ``(B, h, w)`` bool of a map ``(K, h, w)`` by those of a reference: ``(B, K, h, w)``."""
    return torch.where(cells[:, None].to(activations.device), reference[None], activations[None])


def dice_loss(replay: StageReplay, output: ReplayOutput) -> float | None:
    """Return 1 − Dice between the masks of the explained class before and after, for one map; 0 if both are empty.

    None for a network that classifies the whole frame.
    """
    before, after = replay.original.masks, output.masks
    if before is None or after is None:
        return None
    total = int(before.sum()) + int(after.sum())
    return 1 - 2 * int((before & after).sum()) / total if total else 0.0


def score_loss(replay: StageReplay, output: ReplayOutput) -> float | None:
    """Return (S − S') / |S| of the explained score before and after, for one map; None if S is 0."""
    before, after = float(replay.original.scores), float(output.scores)
    return (before - after) / abs(before) if before and math.isfinite(before) and math.isfinite(after) else None
