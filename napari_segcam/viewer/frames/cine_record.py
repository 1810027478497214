"""The record of a cine: the state of each frame, and the figures that are drawn as curves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # torch comes with it, and is imported in the worker first
    from napari_segcam.evidence.attention import Attention
    from napari_segcam.evidence.finding import Finding


class FrameState(IntEnum):
    """Whether a frame is computed."""

    MISSING = 0
    COMPUTING = 1
    DONE = 2
    FAILED = 3


class CineRecord:
    """The record of one image layer under the current settings; a still has one frame.

    Attributes:
        states: ``(T,)`` of ``FrameState``.
        failures: why frames failed, by frame number.
        edited: the frames that the reader has corrected.
        doubtful_from: the doubt from which a frame is doubtful.
        area_unit: ``"mm²"`` where the image is calibrated, else ``"pixels"``.
        curves: ``(T,)`` float64 by name, in the order in which they are offered; NaN where a frame is missing or the
            figure is undefined.
    """

    AREA, PROBABILITY, DICE = "area", "mean probability", "Dice with the frame before"
    DOUBT, DISAGREEMENT = "doubt", "disagreement of members"
    PREDICTED_AREA, CORRECTED_AREA = "predicted area", "corrected area"
    DICE_OF_BOTH, AREA_DIFFERENCE = "Dice of A and B", "area B − A"
    AREAS = (AREA, CORRECTED_AREA)

    def __init__(self, frames: int, area_unit: str) -> None:
        self.states = np.zeros(frames, np.uint8)
        self.failures: dict[int, str] = {}
        self.edited: set[int] = set()
        self.area_unit = area_unit
        self.doubtful_from = np.inf
        self.curves: dict[str, NDArray[np.float64]] = {}
        for name in (self.AREA, self.PROBABILITY, self.DICE):
            self.curves[name] = np.full(frames, np.nan)

    def __len__(self) -> int:
        return len(self.states)

    @staticmethod
    def ratio_of(stage: str) -> str:
        """Return the name of a stage's curve of the attention ratio (mean heat inside the region over outside it)."""
        return f"in / out, {stage}"

    def set_state(self, frame: int, state: FrameState, failure: str | None = None) -> None:
        """Set the state of a frame; ``failure`` is why it failed."""
        self.states[frame] = state
        if failure is None:
            self.failures.pop(frame, None)
        else:
            self.failures[frame] = failure

    def enter(self, frame: int, figures: Mapping[str, float]) -> None:
        """Enter a frame's figures into the curves, which are created when first needed."""
        for name, value in figures.items():
            curve = self.curves.setdefault(name, np.full(len(self), np.nan))
            curve[frame] = value

    def enter_results(
        self, frame: int, finding: Finding, figures: Mapping[str, Attention], disagreement: float | None = None
    ) -> None:
        """Enter the area and probability of a frame's mask, the attention ratios of its stages, and the disagreement of
        the members of an ensemble, if it is one."""
        area = finding.pixels if finding.area_mm2 is None else finding.area_mm2
        ratios = {self.ratio_of(stage): attention.ratio for stage, attention in figures.items()}
        values = {self.AREA: float(area), self.PROBABILITY: finding.probability, **ratios}
        if disagreement is not None or self.DISAGREEMENT in self.curves:
            values[self.DISAGREEMENT] = disagreement
        self.enter(frame, {name: np.nan if value is None else value for name, value in values.items()})

    def enter_corrections(self, areas: Mapping[int, float]) -> None:
        """Replace the corrected frames, and the area of the explained class in each correction."""
        self.edited = set(areas)
        self.curves.pop(self.CORRECTED_AREA, None)
        for frame, area in areas.items():
            self.enter(frame, {self.CORRECTED_AREA: area})

    def drop_ratios(self) -> None:
        """Drop the curves of the heatmaps, whose settings have changed."""
        names = {self.AREA, self.PROBABILITY, self.DICE, self.CORRECTED_AREA, self.DOUBT, self.DISAGREEMENT}
        names |= {self.DICE_OF_BOTH, self.AREA_DIFFERENCE}
        self.curves = {name: curve for name, curve in self.curves.items() if name in names}

    def doubtful(self) -> NDArray[np.bool_]:
        """Return the frames whose masks are doubtful, ``(T,)``."""
        return np.nan_to_num(self.curves.get(self.DOUBT, np.full(len(self), np.nan))) >= self.doubtful_from

    def findings(self) -> NDArray[np.bool_]:
        """Return the frames with a finding, ``(T,)``: those in which the mask is not empty."""
        return np.nan_to_num(self.curves[self.AREA]) > 0
