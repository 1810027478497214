"""Overlay effect: whether burned-in graphics, such as text or calipers, carry the decision."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.evidence.null import Measurement
from napari_segcam.evidence.patches import place_elsewhere
from napari_segcam.evidence.running.progress import run_steps
from napari_segcam.explanation.explainer import Explainer
from napari_segcam.explanation.explanation import Explanation
from napari_segcam.explanation.slow_methods.control import ProgressControl
from napari_segcam.explanation.targets.target import Target
from napari_segcam.imaging.burned_in.finding import find_graphics
from napari_segcam.imaging.burned_in.inpainting import inpaint
from napari_segcam.imaging.geometry import Crop
from napari_segcam.imaging.value_range import value_range_of
from napari_segcam.mask_metrics.overlap import overlap

Mask = NDArray[np.bool_]

DRAWS = 20
CHANGES = 0.05  # smallest effect that counts
_RARE = 0.05  # largest p at which the effect is more than that of other patches

NO_GRAPHICS = "no burned-in graphics were found"
_NO_GRAPHICS_SEEN = "no burned-in graphics were found in the part of the frame that the network sees"
_ALL_COVERED = "the graphics cover all that the network sees"
_NO_PLACE = "there is no other place of the size and shape of the graphics to compare them with"


@dataclass(frozen=True)
class OverlayEffect:
    """How much the result changes when burned-in graphics are taken away.

    Attributes:
        effect: 1 − Dice between the masks of the explained class with and without the graphics, 0 where both are
            empty; for a network that classifies the whole frame the change of the class's probability, in either
            direction. The null has the same patches elsewhere.
        of_mask: whether it is of the mask; else it is of the probability.
        area: pixels of the graphics.
    """

    effect: Measurement
    of_mask: bool
    area: int

    @property
    def statement(self) -> str:
        """One line of words.

        Such as "taking the burned-in graphics away costs the mask 83 % (patches elsewhere: 2 %)".
        """
        value, expected, p = self.effect.value, self.effect.expected, self.effect.p
        explained = "mask" if self.of_mask else "score"
        if value is None:
            return self.effect.undefined
        if value < CHANGES:
            return f"the burned-in graphics carry nothing of this {explained}"
        cost = f"{value:.0%}".replace("%", " %")
        verb = "costs the mask" if self.of_mask else "changes the score by"
        statement = f"taking the burned-in graphics away {verb} {cost}"
        if p is None or expected is None:
            return f"{statement}; {self.effect.undefined}"
        elsewhere = f"{expected:.0%}".replace("%", " %")
        if p <= _RARE:
            return f"{statement} (patches elsewhere: {elsewhere})"
        return f"{statement}, no more than patches elsewhere ({elsewhere})"

    def as_dict(self) -> dict[str, Any]:
        """Return the figure, its null and what they mean, in plain values, ready for JSON."""
        return {
            "value": self.effect.value,
            "null": self.effect.expected,
            "p": self.effect.p,
            "of": "mask" if self.of_mask else "probability",
            "pixels": self.area,
            "statement": self.statement,
        }


def overlay_effect(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
    *,
    graphics: Mask | None = None,
    scan: Crop | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> OverlayEffect:
    """Measure how much the result of a frame depends on its burned-in graphics.

    The graphics are inpainted, and the network runs again. As a null, patches of the same sizes and shapes are
    inpainted elsewhere: each graphic is moved to a random place in the tissue, where there are no graphics. It takes
    one forward pass for each draw and one more, and no hooks.

    Examples:
        >>> sc.overlay_effect(result, explainer, frame).statement
        'no burned-in graphics were found'

    Args:
        explanation: of the frame.
        explainer: the explainer that made it.
        frame: the same frame, ``(Y, X)`` or ``(Y, X, 3)``.
        value_range: the same as for the explainer.
        graphics: ``(Y, X)`` bool; by default those that ``find_graphics`` finds in the frame.
        scan: rows and columns that show the scan, if known; by default the part that the network saw.
        draws: of the null; p is at least 1 / (draws + 1).
        seed: of the places.
        progress: called with the number of forward passes done and their total.
        cancelled: called between them; True stops it.

    Raises:
        Cancelled: if ``cancelled`` returns True.
        SegcamError: if the frame or the graphics do not fit the explanation.
    """
    steps = overlay_effect_steps(
        explanation,
        explainer,
        frame,
        value_range,
        graphics=graphics,
        scan=scan,
        draws=draws,
        seed=seed,
        cancelled=cancelled,
    )
    return run_steps(steps, progress)


def overlay_effect_steps(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    value_range: tuple[float, float] | None = None,
    *,
    graphics: Mask | None = None,
    scan: Crop | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    cancelled: Callable[[], bool] | None = None,
) -> Generator[tuple[int, int], None, OverlayEffect]:
    """Measure as ``overlay_effect``, and yield the forward passes done and their total: other work may come between.

    Raises:
        Cancelled: if ``cancelled`` returns True.
        SegcamError: if the frame or the graphics do not fit the explanation.
    """
    shape, of_mask = explanation.frame_shape, explanation.no_mask is None
    if frame.shape[:2] != shape:
        raise SegcamError(
            f"The frame has {frame.shape[0]}×{frame.shape[1]} pixels, but the explained one has "
            f"{shape[0]}×{shape[1]}. Give the frame that was explained."
        )
    if graphics is not None and graphics.shape != shape:
        raise SegcamError(
            f"The mask of the graphics is {'×'.join(map(str, graphics.shape))}, but the frame has "
            f"{shape[0]}×{shape[1]} pixels."
        )
    levels = value_range or value_range_of(frame)
    found = find_graphics(frame, value_range=levels).mask if graphics is None else graphics.astype(bool)
    window = explanation.segmentation.geometry.window
    seen = np.zeros(shape, bool)
    seen[window] = found[window]
    area = int(seen.sum())
    if not area or area == seen[window].size:
        reason = _ALL_COVERED if area else (_NO_GRAPHICS_SEEN if found.any() else NO_GRAPHICS)
        return OverlayEffect(Measurement(None, undefined=reason), of_mask, area)
    placements = place_elsewhere(seen, frame, _within(scan or window, window), draws, seed)
    effects = yield from _effects(explanation, explainer, frame, levels, [seen, *placements], cancelled)
    null = tuple(effects[1:])
    return OverlayEffect(Measurement(effects[0], null, "" if null else _NO_PLACE), of_mask, area)


def _within(scan: Crop, window: Crop) -> Crop:
    """Return the part of the scan that the network saw; if they do not overlap, what it saw."""
    rows, columns = (
        slice(max(part.start, seen.start), min(part.stop, seen.stop)) for part, seen in zip(scan, window, strict=True)
    )
    return (rows, columns) if rows.start < rows.stop and columns.start < columns.stop else window


def _effects(
    explanation: Explanation,
    explainer: Explainer,
    frame: NDArray[np.generic],
    levels: tuple[float, float],
    patches: list[Mask],
    cancelled: Callable[[], bool] | None,
) -> Generator[tuple[int, int], None, list[float]]:
    """Yield the passes done and their total; return how much the result changes when each patch is inpainted."""
    forward = Explainer(
        explainer.network, stages=(), threshold=explanation.threshold, control=ProgressControl(cancelled=cancelled)
    )
    geometry = explanation.segmentation.geometry
    index = explanation.target.class_index or 0
    results = forward.each(
        (inpaint(frame, patch, levels) for patch in patches),
        Target(index, region="image"),
        levels,
        crop=geometry.window if geometry.crop else None,
        pixel_aspect=geometry.pixel_aspect,
    )
    effects = []
    for number, result in enumerate(results, start=1):
        if explanation.no_mask is None:
            dice = overlap(explanation.target_mask, result.target_mask).dice
            effects.append(1 - (1.0 if dice is None else dice))
        else:
            effects.append(abs(float(explanation.probabilities[index, 0, 0] - result.probabilities[index, 0, 0])))
        yield number, len(patches)
    return effects
