"""The corrections of one image under the current plan: areas, copies for files, and the plan that explains them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.viewer.frames.plan import Plan
from napari_segcam.viewer.frames.review_results import ReviewResults
from napari_segcam.viewer.frames.run_request import CORRECTED
from napari_segcam.viewer.layers.correction_layer import CorrectionLayer
from napari_segcam.viewer.layers.explanation_layers import ExplanationLayers

if TYPE_CHECKING:  # torch comes with these: they are imported in the worker, where nobody waits for it
    from napari_segcam.network.network import Network
    from napari_segcam.reporting.correction import Correction, OtherCorrections

_ALL_CLASSES = "labels"  # the key of a correction of all classes, beside those of single classes


class ReviewCorrections:
    """The corrections of one image.

    Args:
        layers: of the image.
        results: whose plan says which class is explained.

    Attributes:
        network: whose labels are painted before there is a plan; None for none.
    """

    def __init__(self, layers: ExplanationLayers, results: ReviewResults) -> None:
        self._layers = layers
        self._results = results
        self.network: Network | None = None

    def layers(self) -> list[CorrectionLayer]:
        """Return the layers of corrections, those of earlier networks included."""
        return [pair.corrections for pair in self._layers.pairs]

    def copies(self, frames: Iterable[int]) -> dict[int, Correction]:
        """Return copies of the corrections of these frames, of the explained class or of all classes in one mask."""
        from napari_segcam.reporting.correction import Correction

        copies = self._layers.corrections.taken(frames)
        return {
            frame: Correction(labels, names, self._is_explained(frame)) for frame, (labels, names) in copies.items()
        }

    def copies_of_other_classes(self, frames: Iterable[int]) -> dict[int, dict[str, NDArray[np.uint8]]]:
        """Return copies of the corrections of other classes that may overlap the explained one, by frame and class."""
        layers = [layer for layer in self.layers() if layer is not self._layers.corrections]
        return {
            frame: {
                layer.of_class or _ALL_CLASSES: pixels.copy()
                for layer in layers
                if (pixels := layer.pixels(frame)) is not None
            }
            for frame in frames
        }

    def plan_for(self, plan: Plan, corrections: Mapping[int, Correction]) -> Plan:
        """Return a plan that explains these copies, so that later painting does not change it."""
        if plan.request.region != CORRECTED:
            return plan
        label_of, label = self._layers.corrections.label_of, plan.label
        regions = {
            frame: correction.labels == label_of(frame, label)
            for frame, correction in corrections.items()
            if correction.is_explained
        }
        return replace(plan, painted_region=regions.get)

    def mark_saved(self, corrections: Mapping[int, Correction], other_classes: Mapping[int, OtherCorrections]) -> None:
        """Note that these copies are on disk."""
        explained = self._layers.corrections
        explained.mark_saved({frame: correction.labels for frame, correction in corrections.items()})
        for layer in self.layers():
            name = layer.of_class or _ALL_CLASSES
            if layer is not explained:
                layer.mark_saved({frame: labels[name] for frame, labels in other_classes.items() if name in labels})

    def areas(self, spacing_mm: tuple[float, float] | None) -> dict[int, float]:
        """Return the area of each correction, in mm² where the spacing is known, else in pixels.

        It is the area of the explained class, or of all labels as long as nothing is explained; NaN where the frame has
        a correction of another class alone.
        """
        return {frame: self._area(frame, spacing_mm) for frame in sorted(self._layers.corrected)}

    def label_names(self) -> dict[int, str]:
        """Return the current network's names of the labels in its masks."""
        plan = self._results.plan
        network = self.network if plan is None else plan.network
        if network is None:
            return {}
        names = network.class_names
        return dict(enumerate(names[1:], start=1)) if network.has_background else {1: names[0]}

    def _is_explained(self, frame: int) -> bool:
        plan = self._results.plan
        if plan is None or plan.request.region != CORRECTED:
            return False
        return self._layers.corrections.label_of(frame, plan.label) is not None

    def _area(self, frame: int, spacing_mm: tuple[float, float] | None) -> float:
        layer, plan = self._layers.corrections, self._results.plan
        correction = layer.seen(frame)
        if correction is None:
            return float("nan")  # another class that may overlap this one is corrected
        label = None if plan is None else layer.label_of(frame, plan.label)
        if plan is not None and label is None:
            return float("nan")  # the correction has no label of this class
        labels = correction.labels
        pixels = np.count_nonzero(labels if label is None else labels == label)
        return float(pixels * (1 if spacing_mm is None else spacing_mm[0] * spacing_mm[1]))
