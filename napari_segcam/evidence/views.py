"""Views: the same frame, slightly shifted or brightened, and how much the results change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from napari_segcam.evidence.ranks import spearman
from napari_segcam.evidence.running.same_explainer import same_explainer
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.value_range import value_range_of
from napari_segcam.mask_metrics.overlap import overlap

_SHIFTS = (-2, -1, 1, 2)  # pixels, lateral
_GAINS = (0.85, 1.15)


@dataclass(frozen=True)
class View:
    """A slight change of a frame.

    Attributes:
        shift: to the right, in pixels.
        gain: factor of the brightness above black.
    """

    shift: int = 0
    gain: float = 1.0

    def of(self, frame: NDArray[np.generic], value_range: tuple[float, float]) -> NDArray[np.generic]:
        """Return this view of a frame ``(Y, X)`` or ``(Y, X, 3)``, in the frame's dtype; its edge is repeated."""
        shifted = _shift(frame, self.shift)
        if self.gain == 1.0:
            return shifted
        black, white = value_range
        brighter = np.clip(black + (shifted.astype(np.float64) - black) * self.gain, black, white)
        return (np.rint(brighter) if np.issubdtype(frame.dtype, np.integer) else brighter).astype(frame.dtype)

    def shift_back(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Move values ``(Y, X)`` of this view back to their place in the frame."""
        return _shift(values, -self.shift)


VIEWS = (View(), *(View(shift=shift) for shift in _SHIFTS), *(View(gain=gain) for gain in _GAINS))


@dataclass(frozen=True)
class Views:
    """How well the results of the views of one frame agree.

    Attributes:
        agreement: mean pairwise Dice of the masks, shifted back; two empty masks agree fully. None for a network that
            gives no mask.
        stability: by stage name, mean of Spearman's correlation of the heatmap with that of each other view, shifted
            back; None where the map is empty or flat.
    """

    agreement: float | None
    stability: dict[str, float | None]


def views(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
    *,
    shown: Sequence[View] = VIEWS,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Views:
    """Explain seven views of a frame: as it is, shifted by ±1 and ±2 pixels sideways, and with two gains.

    Agreement of the masks (Zenk et al. 2024, arXiv:2406.03323) is one possible sign of doubt among several. Heatmaps
    are of the explained region, shifted with the frame.

    Args:
        explanation: of the frame.
        explainer: the explainer that made it.
        frame: ``(Y, X)`` or ``(Y, X, 3)``.
        value_range: the same as for the explainer.
        shown: the views, the frame as it is first.
        progress: called with the number of views done and their total.
        cancelled: called between runs of the network; True stops it.

    Raises:
        Cancelled: if the user cancels it.
    """
    geometry = explanation.segmentation.geometry
    crop = geometry.window if geometry.crop else None
    levels = value_range or value_range_of(frame)
    masks = [explanation.target_mask]
    correlations: dict[str, list[float]] = {name: [] for name in explanation.heatmaps}
    explainer = same_explainer(explainer, explanation, cancelled)
    for number, view in enumerate(shown[1:], start=1):
        target = _shifted_target(explanation, view)
        result = explainer(view.of(frame, levels), target, levels, crop, geometry.pixel_aspect)
        masks.append(view.shift_back(result.target_mask).astype(bool))
        for name, heatmap in explanation.heatmaps.items():
            if heatmap.reason is None and result.heatmaps[name].reason is None:
                correlation = spearman(heatmap.raw_on_frame(), view.shift_back(result.heatmaps[name].raw_on_frame()))
                if correlation is not None:
                    correlations[name].append(correlation)
        if progress is not None:
            progress(number, len(shown) - 1)
    return Views(
        None if explanation.no_mask is not None else agreement(masks),
        {name: fmean(values) if values else None for name, values in correlations.items()},
    )


def agreement(masks: Sequence[NDArray[np.bool_]]) -> float:
    """Return the mean pairwise Dice; two empty masks agree fully."""
    pairs = [overlap(first, second).dice for first, second in combinations(masks, 2)]
    return fmean(1.0 if dice is None else dice for dice in pairs)


def _shifted_target(explanation: Explanation, view: View) -> Target:
    """Return the explained target with its region shifted with the frame."""
    target = explanation.target
    if isinstance(target.region, str):
        return target
    return replace(target, region=_shift(explanation.region, view.shift).astype(bool))


def _shift(values: NDArray[np.generic], columns: int) -> NDArray[np.generic]:
    """Shift values to the right by a number of columns; the edge is repeated."""
    sources = np.clip(np.arange(values.shape[1]) - columns, 0, values.shape[1] - 1)
    return values[:, sources]
