"""Entropy: how undecided the network is, pixel by pixel, over the mask's area or along its boundary."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion

from napari_segcam.evidence.doubt.class_map import ClassMap

_BAND = 3  # pixels to each side of the boundary


def entropy(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the entropy of each pixel in bits, 0–1: of whether it belongs to the class (Shannon 1948)."""
    p = np.clip(probability, 1e-7, 1 - 1e-7)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)), np.float32)


def entropy_doubt(class_map: ClassMap) -> float:
    """Return E / (E + A), E the sum of the entropies of all pixels and A the mask's area.

    For an empty mask, it is the entropy of the likeliest pixel.
    """
    if not class_map.mask.any():
        return float(entropy(class_map.probability.max(keepdims=True)).item())
    total = float(entropy(class_map.probability).sum(dtype=float))
    return total / (total + int(np.count_nonzero(class_map.mask)))


def boundary_doubt(class_map: ClassMap) -> float:
    """Return the mean entropy of the pixels at most 3 from the mask's boundary.

    For an empty mask, it is the entropy of the likeliest pixel.
    """
    mask = class_map.mask
    if not mask.any():
        return float(entropy(class_map.probability.max(keepdims=True)).item())
    inside = binary_erosion(mask, iterations=_BAND, border_value=1)
    band = binary_dilation(mask, iterations=_BAND) & ~inside
    if not band.any():  # the mask fills the frame
        return float(entropy(class_map.probability).mean(dtype=float))
    return float(entropy(class_map.probability[band]).mean(dtype=float))
