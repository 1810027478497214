"""The frames of one image in which the masks of A and B are compared, and their curves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.cine_record import CineRecord
from napari_segcam.viewer.frames.sparse_mask import SparseMask
from napari_segcam.viewer.second_checkpoint.compared_masks import MaskDifference, MaskPixels
from napari_segcam.viewer.second_checkpoint.second_layers import OUTLINE
from napari_segcam.viewer.second_checkpoint.second_review import SecondReview

_CURVES = (CineRecord.DICE_OF_BOTH, CineRecord.AREA_DIFFERENCE)

_Masks = tuple[SparseMask, int, SparseMask, int]
"""The masks of A and B, each with its label of the class."""


class ComparedFrames:
    """Compares what A and B have; a frame is compared again only when one of its masks has changed.

    Args:
        second: the frames as B sees them.
    """

    def __init__(self, second: SecondReview) -> None:
        self._second = second
        self._pixels: tuple[_Masks, MaskPixels] | None = None  # of the frame in view
        self._drawn: dict[str, tuple[MaskPixels, NDArray[np.float32] | None]] = {}
        self._differences: dict[int, tuple[_Masks, MaskDifference]] = {}

    def pixels(self, frame: int) -> MaskPixels | None:
        """Return the masks of A and B in a frame, where both are known."""
        masks = self._masks(frame)
        if masks is None:
            return None
        if self._pixels is None or self._pixels[0] != masks:
            self._pixels = masks, MaskPixels.of(*masks)
        return self._pixels[1]

    def drawn(self, frame: int, kind: str) -> NDArray[np.float32] | None:
        """Return what a layer draws in a frame, ``(Y, X)``, NaN where nothing; None where there is nothing to draw."""
        pixels = self.pixels(frame)
        if pixels is None:
            return None
        known = self._drawn.get(kind)
        if known is None or known[0] is not pixels:
            known = self._drawn[kind] = pixels, self._draw(pixels, kind)
        return known[1]

    def _draw(self, pixels: MaskPixels, kind: str) -> NDArray[np.float32] | None:
        image = self._second.review.image
        rows, columns = image.data.shape[image.ndim - 2 : image.ndim]
        shape = int(rows), int(columns)
        if kind == OUTLINE:
            return pixels.dashes_of_b(shape) if pixels.b.any() else None
        return pixels.one_alone(shape) if (pixels.a != pixels.b).any() else None

    def enter_curves(self) -> bool:
        """Enter the Dice of A and B and the difference of their areas into A's record; return whether they changed."""
        record, plan = self._second.review.record, self._second.review.plan
        curves = {name: np.full(len(record), np.nan) for name in _CURVES}
        for frame in self._second.results.frames():
            masks = self._masks(frame)
            if masks is None or plan is None:
                continue
            known = self._differences.get(frame)
            if known is None or known[0] != masks:
                known = self._differences[frame] = masks, MaskPixels.of(*masks).difference(plan.source.spacing_mm)
            dice = known[1].dice
            curves[CineRecord.DICE_OF_BOTH][frame] = np.nan if dice is None else dice
            curves[CineRecord.AREA_DIFFERENCE][frame] = known[1].area_difference
        changed = [name for name in _CURVES if not _is_same(record.curves.get(name), curves[name])]
        for name in changed:
            record.curves[name] = curves[name]
        return bool(changed)

    def drop_curves(self) -> None:
        """Take the curves out of A's record."""
        for name in _CURVES:
            self._second.review.record.curves.pop(name, None)

    def _masks(self, frame: int) -> _Masks | None:
        review, results = self._second.review, self._second.results
        a, b = review.results.segmentation(frame), results.segmentation(frame)
        if a is None or b is None or review.plan is None or results.plan is None:
            return None
        plan_a, plan_b = review.plan, results.plan
        return a.masks[plan_a.mask_index], plan_a.label, b.masks[plan_b.mask_index], plan_b.label


def differing_frames(dice: NDArray[np.floating], area_difference: NDArray[np.floating], apart: int) -> list[int]:
    """Return the frames by rising Dice of A and B; a frame near one that differs more is left out.

    Args:
        dice: ``(T,)``, NaN where it is unknown; frames with a Dice of 1 do not differ.
        area_difference: ``(T,)``, of B − A: of frames with one Dice, such as 0, the largest difference comes first.
        apart: frames closer than this, in number, are near; 1 lists all.
    """
    listed: list[int] = []
    order = sorted(np.flatnonzero(dice < 1).tolist(), key=lambda frame: (dice[frame], -abs(area_difference[frame])))
    for frame in order:
        if all(abs(frame - other) >= apart for other in listed):
            listed.append(frame)
    return listed


def _is_same(before: NDArray[np.floating] | None, after: NDArray[np.floating]) -> bool:
    return before is not None and np.array_equal(before, after, equal_nan=True)
