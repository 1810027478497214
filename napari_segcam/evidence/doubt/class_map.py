"""The class map: what a network says about one class in a frame, on its own grid, from which doubt is measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.explanation.explanation import Explanation, Segmentation
from napari_segcam.explanation.targets.classes import class_mask


@dataclass(frozen=True, eq=False)
class ClassMap:
    """Probability and mask of one class in a frame, on the network's grid, without padding.

    Attributes:
        probability: ``(h, w)`` float32, moved so that 0.5 is the threshold of the mask.
        mask: ``(h, w)`` bool.
    """

    probability: NDArray[np.float32]
    mask: NDArray[np.bool_]

    @classmethod
    def of(cls, segmentation: Segmentation, class_index: int, threshold: float) -> ClassMap | None:
        """Return the map of a class; None if the network classifies the whole frame.

        Args:
            segmentation: of the frame.
            class_index: the class.
            threshold: of the mask, where a threshold cuts it.
        """
        if not segmentation.is_map:
            return None
        (top, left), (height, width) = segmentation.geometry.offset, segmentation.geometry.content_shape
        probabilities = segmentation.probabilities[:, top : top + height, left : left + width]
        mask = class_mask(probabilities, class_index, threshold, overlap=segmentation.classes_overlap)
        has_threshold = segmentation.classes_overlap or len(probabilities) == 1
        return cls(centered(probabilities[class_index], threshold if has_threshold else 0.5), mask)

    @classmethod
    def of_explanation(cls, explanation: Explanation) -> ClassMap | None:
        """Return the map of the explained class; None if the network classifies the whole frame."""
        return cls.of(explanation.segmentation, explanation.target.class_index or 0, explanation.threshold)


def centered(probability: NDArray[np.float32], threshold: float) -> NDArray[np.float32]:
    """Move probabilities so that the threshold becomes 0.5: their logits are shifted by that of the threshold."""
    if threshold == 0.5:
        return probability
    for_it, against_it = probability * (1 - threshold), (1 - probability) * threshold
    return np.asarray(for_it / np.maximum(for_it + against_it, 1e-30), np.float32)
