"""Faithfulness: whether the places where a heatmap is hot matter more for the mask than others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.evidence.hiding import Reference, lost_dice, lost_score, spatial_mean, with_hidden
from napari_segcam.evidence.null import Measurement
from napari_segcam.explanation.explanation import Heatmap
from napari_segcam.explanation.stage_replay import StageReplay

SHARES = (0.05, 0.10, 0.20)
DRAWS = 19


def faithfulness(
    replay: StageReplay,
    heatmap: Heatmap,
    *,
    of_mask: bool,
    draws: int = DRAWS,
    seed: int = 0,
    reference: Reference = spatial_mean,
    progress: Callable[[int, int], None] | None = None,
) -> Measurement:
    """What the mask loses when the hottest cells of a stage are hidden, beside the same for the map moved elsewhere.

    L(q) = 1 − Dice after hiding the hottest ⌈q·h·w⌉ cells, its mean over q = 5, 10 and 20 %; where the region is not
    the predicted mask, the loss of the score (S − S') / |S| instead. The null is the same with the map shifted round
    the edges, and half of the time mirrored: that keeps its structure and takes its place away. Cells are ranked, not
    cut at a value, with ties broken at random, so that a sparse map never hides the whole frame (as deletion tests do:
    Samek et al. 2017; Rong et al. 2022).

    Args:
        replay: of the stage.
        heatmap: of the stage; negative values of a signed map are cold.
        of_mask: whether the region is the predicted mask.
        draws: K, how many times the map is moved.
        seed: of the ties and the moves.
        reference: what hidden cells are replaced by.
        progress: told how many runs are done, and of how many.

    Raises:
        Cancelled: once the user has stopped it.
    """
    if heatmap.reason is not None:
        return Measurement(None, undefined=heatmap.reason.value)
    values = heatmap.values
    if values.size < 2 or values.shape != tuple(replay.activations.shape[1:]):
        return Measurement(None, undefined="the map has no cells of the stage to hide")
    randomness = np.random.default_rng(seed)
    maps = [values, *(moved(values, randomness) for _ in range(draws))]
    cells = [hottest(each, share, randomness) for each in maps for share in SHARES]
    lost = _losses(replay, cells, of_mask, reference, progress)
    if lost is None:
        return Measurement(None, undefined="the explained score is 0, so that nothing can be lost of it")
    means = [fmean(lost[at : at + len(SHARES)]) for at in range(0, len(lost), len(SHARES))]
    return Measurement(means[0], tuple(means[1:]))


def hottest(values: NDArray[np.float32], share: float, randomness: np.random.Generator) -> NDArray[np.bool_]:
    """The hottest ⌈share · h · w⌉ cells of a map ``(h, w)``; among equal ones chance decides."""
    count = math.ceil(share * values.size)
    order = np.lexsort((randomness.random(values.size), -values.ravel()))
    cells = np.zeros(values.size, bool)
    cells[order[:count]] = True
    return cells.reshape(values.shape)


def moved(values: NDArray[np.float32], randomness: np.random.Generator) -> NDArray[np.float32]:
    """A map shifted at random round the edges, and at random mirrored up-down and left-right; never left as it is."""
    rows, columns = values.shape
    while True:
        down, right = int(randomness.integers(rows)), int(randomness.integers(columns))
        flips = tuple(axis for axis in (0, 1) if randomness.random() < 0.5)
        if down or right or flips:
            return np.roll(np.flip(values, flips), (down, right), (0, 1))


def _losses(
    replay: StageReplay,
    cells: Sequence[NDArray[np.bool_]],
    of_mask: bool,
    reference: Reference,
    progress: Callable[[int, int], None] | None,
) -> list[float] | None:
    """What is lost with each choice of cells hidden; None where that is undefined."""
    instead = reference(replay.activations)

    def maps(numbers: range) -> torch.Tensor:
        return with_hidden(replay.activations, torch.from_numpy(np.stack([cells[n] for n in numbers])), instead)

    lost: list[float] = []
    for number, output in replay.in_batches(len(cells), maps):
        loss = lost_dice(replay, output) if of_mask else lost_score(replay, output)
        if loss is None:
            return None
        lost.append(loss)
        if progress is not None:
            progress(number + 1, len(cells))
    return lost
