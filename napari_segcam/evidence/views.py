"""Views: the same frame moved by a hair's breadth or a little brighter, and what changes then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from napari_segcam.evidence.overlap import overlap
from napari_segcam.evidence.ranks import spearman
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.value_range import value_range_of

_SHIFTS = (-2, -1, 1, 2)  # pixels, lateral
_GAINS = (0.85, 1.15)


@dataclass(frozen=True)
class View:
    """A way to look at a frame.

    Attributes:
        shift: columns to the right, pixels.
        gain: of the brightness above black.
    """

    shift: int = 0
    gain: float = 1.0

    def of(self, frame: NDArray[np.generic], value_range: tuple[float, float]) -> NDArray[np.generic]:
        """The frame ``(Y, X)`` or ``(Y, X, 3)`` so seen, in its own dtype; its edge is repeated."""
        seen = _shifted(frame, self.shift)
        if self.gain == 1.0:
            return seen
        black, white = value_range
        brighter = np.clip(black + (seen.astype(np.float64) - black) * self.gain, black, white)
        return (np.rint(brighter) if np.issubdtype(frame.dtype, np.integer) else brighter).astype(frame.dtype)

    def put_back(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """What was seen ``(Y, X)``, where it is in the frame."""
        return _shifted(values, -self.shift)


VIEWS = (View(), *(View(shift=shift) for shift in _SHIFTS), *(View(gain=gain) for gain in _GAINS))


@dataclass(frozen=True)
class Views:
    """What the views of one frame have in common.

    Attributes:
        agreement: mean pairwise Dice of the masks put back in place; two empty ones agree fully. None for a network
            that gives no mask.
        stability: by stage name, mean of Spearman's correlation of the heatmap with that of each other view, put back
            in place; None where the map is empty or flat.
    """

    agreement: float | None
    stability: dict[str, float | None]


def views(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Views:
    """Look at a frame in seven ways: as it is, moved by ±1 and ±2 pixels laterally, and with two gains.

    Agreement of the masks (Zenk et al. 2024, arXiv:2406.03323) is one candidate for doubt among several. Heatmaps are
    of the explained region, moved with the frame.

    Args:
        explanation: of the frame.
        explainer: that made it.
        frame: ``(Y, X)`` or ``(Y, X, 3)``.
        value_range: the same as the explainer was given.
        progress: told how many views are done, and of how many.

    Raises:
        Cancelled: once the user has stopped it.
    """
    geometry = explanation.segmentation.geometry
    crop = geometry.window if geometry.crop else None
    levels = value_range or value_range_of(frame)
    masks = [explanation.target_mask]
    correlations: dict[str, list[float]] = {name: [] for name in explanation.heatmaps}
    for number, view in enumerate(VIEWS[1:], start=1):
        target = _target(explanation, view)
        seen = explainer(view.of(frame, levels), target, levels, crop, geometry.pixel_aspect)
        masks.append(view.put_back(seen.target_mask).astype(bool))
        for name, heatmap in explanation.heatmaps.items():
            if heatmap.reason is None and seen.heatmaps[name].reason is None:
                correlation = spearman(heatmap.raw_on_frame(), view.put_back(seen.heatmaps[name].raw_on_frame()))
                if correlation is not None:
                    correlations[name].append(correlation)
        if progress is not None:
            progress(number, len(VIEWS) - 1)
    return Views(
        None if explanation.no_mask is not None else agreement(masks),
        {name: fmean(each) if each else None for name, each in correlations.items()},
    )


def agreement(masks: Sequence[NDArray[np.bool_]]) -> float:
    """Mean pairwise Dice; two empty masks agree fully."""
    pairs = [overlap(first, second).dice for first, second in combinations(masks, 2)]
    return fmean(1.0 if dice is None else dice for dice in pairs)


def _target(explanation: Explanation, view: View) -> Target:
    """The explained target, its region moved with the frame."""
    target = explanation.target
    if isinstance(target.region, str):
        return target
    return Target(target.class_index, _shifted(explanation.region, view.shift).astype(bool), target.score)


def _shifted(values: NDArray[np.generic], columns: int) -> NDArray[np.generic]:
    """Moved to the right by so many columns; the edge is repeated."""
    at = np.clip(np.arange(values.shape[1]) - columns, 0, values.shape[1] - 1)
    return values[:, at]
