"""What the canvas and the panel say about B."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_segcam.imaging.cine import without_suffix
from napari_segcam.reporting.report.text import shorten_middle
from napari_segcam.viewer.frames.cine_record import CineRecord
from napari_segcam.viewer.second_checkpoint.compared_frames import differing_frames
from napari_segcam.viewer.second_checkpoint.second_review import SecondReview

_LONGEST_NAME = 18  # so that a line of the canvas holds it


def legend(second: SecondReview, threshold_of_a: float, *, shows_difference: bool) -> tuple[str, ...]:
    """Return the lines of the canvas that say which outline is whose, and at which threshold."""
    plan_a, plan_b = second.review.plan, second.plan
    if plan_a is None or plan_b is None:
        return ()
    lines = [
        f"A, solid: {_named(plan_a.network.name, plan_a.network.has_background, threshold_of_a)}",
        f"B, dashed: {_named(plan_b.network.name, plan_b.network.has_background, second.threshold)}",
    ]
    return (*lines, "blue: A alone; red stripes: B alone") if shows_difference else tuple(lines)


def state_of_b(second: SecondReview, frame: int) -> str:
    """Return what B lacks in a frame, in words; empty where nothing."""
    if frame in second.failures:
        return f"B failed: {second.failures[frame]}"
    stored = second.results.segmentation(frame)
    if stored is None:
        return "B: computing …" if second.is_pending(frame) else "B: not computed"
    return "" if stored.finding.pixels else "B: no finding"


def summary(curves: dict[str, NDArray[np.float64]], done: int, of: int, word: str) -> str:
    """Return how far B is and how much both agree, in words."""
    dice = curves.get(CineRecord.DICE_OF_BOTH)
    text = f"B: {done} of {of} {word}s"
    if dice is None or not np.isfinite(dice).any():
        return text
    differing = differing_frames(dice, curves[CineRecord.AREA_DIFFERENCE], 1)
    if of == 1:
        return f"Dice of A and B: {np.nanmin(dice):.3f}"
    if not differing:
        return f"{text}. Dice of A and B: 1 in all with a finding."
    lowest = differing[0]
    return f"{text}. Dice of A and B: median {np.nanmedian(dice):.3f}, lowest {dice[lowest]:.3f} in {word} {lowest}."


def _named(name: str, has_background: bool, threshold: float) -> str:
    short = shorten_middle(without_suffix(name), _LONGEST_NAME)
    return short if has_background else f"{short} above {threshold:.2f}"
