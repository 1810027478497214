"""Strong views: the frame enlarged, reduced, shifted, darker and brighter, and how well its masks agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from napari_segcam.evidence.doubt.class_map import ClassMap
from napari_segcam.evidence.doubt.expected_overlap import expected_dice
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.imaging.value_range import value_range_of
from napari_segcam.mask_metrics.overlap import overlap


@dataclass(frozen=True)
class StrongView:
    """A change that leaves what a radiologist sees as it is, but that a network has to bear.

    Attributes:
        zoom: about the middle; what is beyond the edge repeats it.
        shift: to the right, as a share of the width.
        gamma: exponent of the brightness between black and white.
    """

    zoom: float = 1.0
    shift: float = 0.0
    gamma: float = 1.0

    def of(self, frame: NDArray[np.generic], value_range: tuple[float, float]) -> NDArray[np.float32]:
        """Return this view of a frame ``(Y, X)`` or ``(Y, X, C)``, in its values."""
        black, white = value_range
        share = np.clip((np.asarray(frame, np.float32) - black) / (white - black), 0, 1) ** self.gamma
        values = torch.from_numpy(np.atleast_3d(share)).permute(2, 0, 1)
        moved = _sample(values, 1 / self.zoom, -2 * self.shift / self.zoom).permute(1, 2, 0).numpy()
        return np.asarray(black + (white - black) * moved.reshape(frame.shape), np.float32)

    def back(self, class_map: ClassMap) -> tuple[ClassMap, NDArray[np.bool_]]:
        """Move the map of this view back to its place in the frame.

        Returns:
            The map, and which pixels of the frame the view showed.
        """
        maps = np.stack([class_map.probability, class_map.mask, np.ones_like(class_map.probability)]).astype(np.float32)
        probability, mask, seen = _sample(torch.from_numpy(maps), self.zoom, 2 * self.shift, padding="zeros").numpy()
        return ClassMap(probability, mask > 0.5), seen > 0.5


SHIFTS = (StrongView(shift=-0.03), StrongView(shift=0.03))
VIEWS = (
    StrongView(zoom=0.85),
    StrongView(zoom=1.2),
    *SHIFTS,
    StrongView(gamma=0.6),
    StrongView(gamma=1.6),
)


@dataclass(frozen=True, eq=False)
class ViewMaps:
    """Class maps of a frame and of its views, put back in place.

    Attributes:
        maps: on the network's grid; the first is the frame's own.
        seen: for each, which pixels of the frame it showed, ``(h, w)``.
    """

    maps: list[ClassMap]
    seen: list[NDArray[np.bool_]]

    @property
    def disagreement(self) -> float:
        """1 − the mean pairwise Dice over the pixels that both show; two empty masks agree fully."""
        dices = []
        for first, second in combinations(range(len(self.maps)), 2):
            shown = self.seen[first] & self.seen[second]
            dice = overlap(self.maps[first].mask & shown, self.maps[second].mask & shown).dice
            dices.append(1.0 if dice is None else dice)
        return 1 - fmean(dices)

    @property
    def expected_dice(self) -> float:
        """Mean over the views of the Dice that the frame's own mask has on average, if the probabilities of the view
        are right, over the pixels that it shows."""
        own = self.maps[0].mask
        pairs = zip(self.maps, self.seen, strict=True)
        return fmean(expected_dice(class_map.probability[seen], own[seen]) for class_map, seen in pairs)

    @property
    def mean_probability(self) -> NDArray[np.float32]:
        """Mean probability of the views that show a pixel, ``(h, w)``."""
        shown = np.sum(self.seen, axis=0)
        pairs = zip(self.maps, self.seen, strict=True)
        total = np.sum([np.where(seen, class_map.probability, 0) for class_map, seen in pairs], axis=0)
        return np.asarray(total / shown, np.float32)


def view_maps(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
    views: Sequence[StrongView] = VIEWS,
) -> ViewMaps:
    """Segment views of an explained frame, at the cost of one forward pass each.

    Raises:
        Cancelled: if the explainer's control cancels it.
        SegcamError: if the network does not run on them.
    """
    *_, maps = growing_view_maps(explanation, explainer, frame, value_range, views)
    return maps


def growing_view_maps(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None,
    views: Sequence[StrongView],
) -> Iterator[ViewMaps]:
    """Yield the frame's own map, and then after each forward pass the maps so far; see ``view_maps``."""
    own = ClassMap.of_explanation(explanation)
    assert own is not None, explanation.no_mask
    geometry = explanation.segmentation.geometry
    levels = value_range or value_range_of(frame)
    window = frame[geometry.window]
    segmenter = Explainer(explainer.network, stages=(), threshold=explanation.threshold, control=explainer.control)
    maps = ViewMaps([own], [np.ones_like(own.mask)])
    yield maps
    for view in views:
        result = segmenter(view.of(window, levels), None, levels, pixel_aspect=geometry.pixel_aspect)
        class_map = ClassMap.of(result.segmentation, explanation.target.class_index or 0, explanation.threshold)
        assert class_map is not None
        moved, seen = view.back(class_map)
        maps = ViewMaps([*maps.maps, moved], [*maps.seen, seen])
        yield maps


def _sample(values: torch.Tensor, zoom: float, shift: float, padding: str = "border") -> torch.Tensor:
    """Sample maps ``(C, H, W)`` at ``zoom`` × their coordinates from the middle, plus ``shift`` half widths."""
    if zoom == 1 and shift == 0:
        return values
    matrix = torch.tensor([[[zoom, 0.0, shift], [0.0, zoom, 0.0]]])
    grid = F.affine_grid(matrix, [1, 1, *values.shape[-2:]], align_corners=False)
    return F.grid_sample(values[None], grid, padding_mode=padding, align_corners=False)[0]
