"""Faithfulness: whether the hot places of a heatmap matter more for the mask than others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.evidence.hiding import Reference, dice_loss, hide_cells, score_loss, spatial_mean
from napari_segcam.evidence.null import Measurement
from napari_segcam.explanation.emptiness import Reason
from napari_segcam.explanation.explanation import Heatmap
from napari_segcam.explanation.stage_replay import StageReplay

SHARES = (0.05, 0.10, 0.20)
DRAWS = 19


def faithfulness(
    replay: StageReplay,
    heatmap: Heatmap,
    *,
    region_is_mask: bool,
    draws: int = DRAWS,
    seed: int = 0,
    reference: Reference = spatial_mean,
    progress: Callable[[int, int], None] | None = None,
) -> Measurement:
    """Return the loss of the mask when the hottest cells of a stage are hidden, with the loss for moved maps as null.

    L(q) = 1 − Dice after hiding the hottest ⌈q·h·w⌉ cells, its mean over q = 5, 10 and 20 %; where the region is not
    the predicted mask, the loss of the score (S − S') / |S| instead. For the null the map is shifted around the edges
    and, half of the time, mirrored: it keeps its structure but loses its place. Cells are ranked, not cut at a value,
    with ties broken at random, so that a sparse map never hides the whole frame (as in deletion tests: Samek et al.
    2017; Rong et al. 2022).

    Args:
        replay: of the stage.
        heatmap: of the stage; negative values of a signed map count as cold.
        region_is_mask: whether the region is the predicted mask.
        draws: K, how many times the map is moved.
        seed: of the ties and the moves.
        reference: replaces hidden cells.
        progress: called with the number of runs done and their total.

    Raises:
        Cancelled: if the user cancels it.
    """
    if heatmap.reason is not None:
        return Measurement(None, undefined=heatmap.reason.value)
    values = heatmap.values
    if values.size < 2 or values.shape != tuple(replay.activations.shape[1:]):
        return Measurement(None, undefined="the map has no cells of the stage to hide")
    if not np.isfinite(values).all():
        return Measurement(None, undefined=Reason.NOT_FINITE.value)
    rng = np.random.default_rng(seed)
    maps = [values, *(move_randomly(values, rng) for _ in range(draws))]
    cells = [hottest_cells(moved_map, share, rng) for moved_map in maps for share in SHARES]
    losses = losses_of_hiding(replay, cells, region_is_mask=region_is_mask, reference=reference, progress=progress)
    if losses is None:
        return Measurement(None, undefined="the explained score is 0, so it cannot get lower")
    means = [fmean(losses[start : start + len(SHARES)]) for start in range(0, len(losses), len(SHARES))]
    return Measurement(means[0], tuple(means[1:]))


def hottest_cells(values: NDArray[np.float32], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return the hottest ⌈share · h · w⌉ cells of a map ``(h, w)``; ties are broken at random."""
    count = math.ceil(share * values.size)
    order = np.lexsort((rng.random(values.size), -values.ravel()))
    cells = np.zeros(values.size, bool)
    cells[order[:count]] = True
    return cells.reshape(values.shape)


def move_randomly(values: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Shift a map at random around the edges, and mirror it at random up-down and left-right; it always changes."""
    rows, columns = values.shape
    while True:
        down, right = int(rng.integers(rows)), int(rng.integers(columns))
        flips = tuple(axis for axis in (0, 1) if rng.random() < 0.5)
        if down or right or flips:
            return np.roll(np.flip(values, flips), (down, right), (0, 1))


def losses_of_hiding(
    replay: StageReplay,
    cells: Sequence[NDArray[np.bool_]],
    *,
    region_is_mask: bool,
    reference: Reference = spatial_mean,
    progress: Callable[[int, int], None] | None = None,
) -> list[float] | None:
    """Return the loss for each choice of hidden cells ``(h, w)``; None if it is undefined.

    Args:
        replay: of the stage.
        cells: to hide.
        region_is_mask: whether the loss is that of the mask, else of the score.
        reference: replaces hidden cells.
        progress: called with the number of runs done and their total.

    Raises:
        Cancelled: if the user cancels it.
    """
    replacement = reference(replay.activations)

    def maps(numbers: range) -> torch.Tensor:
        return hide_cells(replay.activations, torch.from_numpy(np.stack([cells[n] for n in numbers])), replacement)

    losses: list[float] = []
    for number, output in replay.in_batches(len(cells), maps):
        loss = dice_loss(replay, output) if region_is_mask else score_loss(replay, output)
        if loss is None:
            return None
        losses.append(loss)
        if progress is not None:
            progress(number + 1, len(cells))
    return losses
