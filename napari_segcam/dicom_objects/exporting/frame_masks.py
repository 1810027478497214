"""The masks of one frame by class: as the network made them, or as a reader edited them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_segcam.dicom_objects.findings.reported_finding import Origin

if TYPE_CHECKING:  # it imports torch
    from napari_segcam.explanation.explanation import Explanation
    from napari_segcam.reporting.correction import Correction, OtherCorrections

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FrameMasks:
    """The masks of a frame.

    Attributes:
        masks: ``(Y, X)`` of each class without the background, by name.
        origins: who made each of them.
        probabilities: ``(Y, X)`` of the network's classes, by name; empty where none are known.
        no_probability: why a class has none, in words.
    """

    masks: Mapping[str, Mask]
    origins: Mapping[str, Origin]
    probabilities: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    no_probability: str = "the network has no such class"

    @classmethod
    def of(
        cls,
        explanation: Explanation,
        correction: Correction | None = None,
        other_classes: Mapping[str, NDArray[np.uint8]] | OtherCorrections | None = None,
    ) -> FrameMasks:
        """Return the masks of an explained frame.

        A mask counts as edited where it differs from the network's.

        Args:
            explanation: of the frame.
            correction: as a reader painted it, of the explained class if classes overlap, else of all classes.
            other_classes: a reader's corrections of other classes that may overlap the explained one, by name.
        """
        first = 1 if explanation.has_background else 0
        names = {index: name for index, name in enumerate(explanation.class_names) if index >= first}
        predicted = {name: explanation.class_mask(index) for index, name in names.items()}
        painted: dict[str, Mask] = {}
        if correction is not None:
            if explanation.classes_overlap:
                painted[explanation.class_names[explanation.target.class_index or 0]] = correction.labels > 0
            else:
                painted |= _painted(correction, list(predicted))
        painted |= {name: labels > 0 for name, labels in (other_classes or {}).items() if name in predicted}
        origins: dict[str, Origin] = dict.fromkeys(predicted, "network")
        for name, mask in painted.items():
            if name not in predicted:
                origins[name] = "reader"
            elif not np.array_equal(mask, predicted[name]):
                origins[name] = "edited"
        return cls(
            {**predicted, **painted},
            origins,
            {name: explanation.probabilities[index] for index, name in names.items()},
        )


def _painted(correction: Correction, classes: list[str]) -> dict[str, Mask]:
    """Return the mask of each class in a correction of all classes; one without a name is called after its label."""
    used = [int(label) for label in np.unique(correction.labels) if label]
    names = {label: f"label {label}" for label in used} | dict(correction.names)
    if len(classes) == 1 and len(correction.names) <= 1:  # one class on both sides, whatever it was called then
        names[1] = classes[0]
    masks = {name: correction.labels == label for label, name in names.items() if label}
    return {**{name: np.zeros(correction.labels.shape, np.bool_) for name in classes}, **masks}
