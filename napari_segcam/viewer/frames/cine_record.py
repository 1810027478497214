"""The record of a cine: of each frame how far it has got, and the figures that are drawn as curves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # torch comes with it, and is imported in the worker first
    from napari_segcam.evidence.attention import Attention
    from napari_segcam.evidence.finding import Finding


class State(IntEnum):
    """How far a frame has got."""

    MISSING = 0
    COMPUTING = 1
    DONE = 2
    FAILED = 3


class CineRecord:
    """Of one image layer, under the settings at hand; a still has one frame.

    Attributes:
        states: ``(T,)`` of ``State``.
        failures: why the failed frames did, by number.
        edited: the frames that the reader has corrected.
        area_unit: ``"mm²"`` where the image is calibrated, else ``"pixels"``.
        curves: ``(T,)`` float64 by name, in the order in which they are offered; not a number where a frame is missing
            or the figure is undefined.
    """

    AREA, PROBABILITY, DICE = "area", "mean probability", "Dice with the frame before"
    PREDICTED_AREA, CORRECTED_AREA = "predicted area", "corrected area"
    AREAS = (AREA, CORRECTED_AREA)

    def __init__(self, frames: int, area_unit: str) -> None:
        self.states = np.zeros(frames, np.uint8)
        self.failures: dict[int, str] = {}
        self.edited: set[int] = set()
        self.area_unit = area_unit
        self.curves: dict[str, NDArray[np.float64]] = {}
        for name in (self.AREA, self.PROBABILITY, self.DICE):
            self.curves[name] = np.full(frames, np.nan)

    def __len__(self) -> int:
        return len(self.states)

    @staticmethod
    def ratio_of(stage: str) -> str:
        """The name of a stage's curve of the attention ratio (mean heat inside the region over outside of it)."""
        return f"in / out, {stage}"

    def set_state(self, frame: int, state: State, failure: str | None = None) -> None:
        """Say how far a frame has got; ``failure`` is why it failed."""
        self.states[frame] = state
        if failure is None:
            self.failures.pop(frame, None)
        else:
            self.failures[frame] = failure

    def enter(self, frame: int, figures: Mapping[str, float]) -> None:
        """Put a frame's figures into the curves, which are made when first needed."""
        for name, value in figures.items():
            curve = self.curves.setdefault(name, np.full(len(self), np.nan))
            curve[frame] = value

    def enter_results(self, frame: int, finding: Finding, figures: Mapping[str, Attention]) -> None:
        """Put into the curves what was found in a frame, and the attention figures of its stages."""
        area = finding.pixels if finding.area_mm2 is None else finding.area_mm2
        ratios = {self.ratio_of(stage): attention.ratio for stage, attention in figures.items()}
        found = {self.AREA: float(area), self.PROBABILITY: finding.probability, **ratios}
        self.enter(frame, {name: np.nan if value is None else value for name, value in found.items()})

    def enter_corrections(self, areas: Mapping[int, float]) -> None:
        """Take in which frames are corrected now, and the area of the explained class in each correction."""
        self.edited = set(areas)
        self.curves.pop(self.CORRECTED_AREA, None)
        for frame, area in areas.items():
            self.enter(frame, {self.CORRECTED_AREA: area})

    def forget_ratios(self) -> None:
        """Take out the curves of the heatmaps, whose settings have changed."""
        kept = (self.AREA, self.PROBABILITY, self.DICE, self.CORRECTED_AREA)
        self.curves = {name: curve for name, curve in self.curves.items() if name in kept}

    def findings(self) -> NDArray[np.bool_]:
        """``(T,)``: the frames in which the network has found something."""
        return np.nan_to_num(self.curves[self.AREA]) > 0
