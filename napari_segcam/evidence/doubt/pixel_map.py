"""Doubt pixel by pixel, on the frame's grid."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.evidence.doubt.class_map import centered
from napari_segcam.evidence.doubt.entropy import entropy
from napari_segcam.evidence.doubt.strong_views import ViewMaps
from napari_segcam.explanation.explanation import Explanation, Segmentation
from napari_segcam.imaging.geometry import Geometry


def doubt_map(explanation: Explanation, views: ViewMaps | None = None) -> NDArray[np.float32] | None:
    """Return how doubtful each pixel is, ``(Y, X)``: the entropy in bits, 0–1, of whether it is of the explained class.

    Args:
        explanation: of the frame.
        views: its ``view_maps``, whose mean probability is then taken instead of the frame's own.

    Returns:
        None if the network classifies the whole frame.
    """
    segmentation = explanation.segmentation
    if views is not None and segmentation.is_map:
        return on_frame(entropy(views.mean_probability), segmentation.geometry)
    return entropy_map(segmentation, explanation.target.class_index or 0, explanation.threshold)


def entropy_map(segmentation: Segmentation, class_index: int, threshold: float) -> NDArray[np.float32] | None:
    """Return the entropy in bits of whether each pixel belongs to a class, ``(Y, X)``; 0 outside the network's input.

    Returns:
        None if the network classifies the whole frame.
    """
    if not segmentation.is_map:
        return None
    has_threshold = segmentation.classes_overlap or len(segmentation.probabilities) == 1
    probability = segmentation.geometry.to_frame(torch.from_numpy(segmentation.probabilities[class_index])).numpy()
    return np.asarray(
        np.where(probability > 0, entropy(centered(probability, threshold if has_threshold else 0.5)), 0), np.float32
    )


def entropy_on_input(segmentation: Segmentation, class_index: int, threshold: float) -> NDArray[np.float32]:
    """Return the same on the grid of the network's input, ``(H, W)``, NaN in its padding."""
    has_threshold = segmentation.classes_overlap or len(segmentation.probabilities) == 1
    values = entropy(centered(segmentation.probabilities[class_index], threshold if has_threshold else 0.5))
    return np.where(segmentation.geometry.content, values, np.float32(np.nan))


def on_frame(values: NDArray[np.float32], geometry: Geometry) -> NDArray[np.float32]:
    """Return a map of the content of the network's input, ``(h, w)``, on the frame's grid ``(Y, X)``."""
    padded = np.zeros(geometry.input_shape, np.float32)
    (top, left), (height, width) = geometry.offset, geometry.content_shape
    padded[top : top + height, left : left + width] = values
    return geometry.to_frame(torch.from_numpy(padded)).numpy()
