"""A perturbation: a change of a frame by a strength, which is 0 for the frame as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.errors import SegcamError
from napari_segcam.perturbing.movements import Movement
from napari_segcam.perturbing.shares import Frame, FrameChange, FrameContext, on_shares

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Perturbation:
    """A change of frames. A strength of 0 leaves a frame as it is, bit for bit.

    Attributes:
        name: for options and tables.
        title: for people.
        unit: of the strength; for blur that of a calibrated frame.
        strengths: usual ones, from weak to strong; some change in both directions.
        limits: the smallest and the largest possible strength besides 0.
        definition: what a strength means, in a sentence, with its source if it has one.
        change: of a frame; None for a movement.
        movement: of the pixels; None where they stay.
        falls: whether a smaller strength changes more, as for the quality of JPEG.
        whole: whether strengths are whole numbers.
        other_unit: of the strength in a frame that is not calibrated; empty if it is the same.
    """

    name: str
    title: str
    unit: str
    strengths: Sequence[float]
    limits: tuple[float, float]
    definition: str
    change: FrameChange | None = None
    movement: Movement | None = None
    falls: bool = False
    whole: bool = False
    other_unit: str = ""

    def of_frame(self, frame: Frame, strength: float, context: FrameContext) -> Frame:
        """Return the perturbed frame ``(Y, X[, C])``, in the frame's dtype; cropped, it is smaller.

        Raises:
            SegcamError: if the strength is not possible.
        """
        self.check(strength)
        if strength == 0:
            return frame.copy()
        if (movement := self.movement) is not None:
            moved = on_shares(lambda shares, by, known: movement.forward(shares, by, known.pixel_aspect))
            return moved(frame, strength, context)
        assert self.change is not None
        return self.change(frame, strength, context)

    def of_mask(self, mask: Mask, strength: float, context: FrameContext) -> Mask:
        """Return a mask ``(Y, X)`` as it is in the perturbed frame."""
        if self.movement is None or strength == 0:
            return mask
        return self.movement.forward(mask.astype(np.float64), strength, context.pixel_aspect, True) > 0.5

    def back(
        self, values: NDArray[np.generic], shape: tuple[int, int], strength: float, context: FrameContext
    ) -> tuple[NDArray[np.float64], Mask]:
        """Move values ``(Y, X)`` of the perturbed frame back onto the frame.

        Returns:
            The values, and which pixels of the frame the perturbed one showed.
        """
        own = np.asarray(values, np.float64)
        if self.movement is None or strength == 0:
            return own, np.ones(shape, np.bool_)
        return self.movement.back(own, shape, strength, context.pixel_aspect)

    def unit_in(self, context: FrameContext) -> str:
        """Return the unit of the strength in a frame."""
        return self.other_unit if self.other_unit and context.spacing_mm is None else self.unit

    def damage(self, strength: float) -> float:
        """Return a number that is larger for a strength that changes more; 0 for none."""
        if strength == 0:
            return 0.0
        return 1 / strength if self.falls else abs(strength)

    def check(self, strength: float) -> None:
        """Check a strength.

        Raises:
            SegcamError: if it is not possible.
        """
        low, high = self.limits
        if strength != 0 and not low <= strength <= high:
            raise SegcamError(
                f"The strength {strength:g} is not possible for {self.name}: give {low:g} to {high:g}"
                f"{' ' + self.unit if self.unit else ''}, or 0 for none."
            )
        if self.whole and strength != round(strength):
            raise SegcamError(f"The strength {strength:g} is not possible for {self.name}: give a whole number.")
