"""Classes: how a network's logits become probabilities and masks.

Classes either exclude each other or overlap. Classes that exclude each other share one softmax: every pixel has the
likeliest class, and the first class is the background. Classes that overlap, such as an organ and a lesion in it, have
a sigmoid each, and so has a single class: a pixel can have several of them, or none.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray


def probabilities_of(logits: torch.Tensor, *, overlap: bool) -> torch.Tensor:
    """Turn logits ``(..., C, H, W)`` into probabilities; for a single class, ``overlap`` does not matter."""
    return logits.sigmoid() if overlap or logits.shape[-3] == 1 else logits.softmax(-3)


def class_mask(
    probabilities: NDArray[np.float32],
    index: int,
    threshold: float,
    *,
    overlap: bool,
    labels: NDArray[np.uint8] | None = None,
) -> NDArray[np.bool_]:
    """Return the mask of one class: probabilities ``(C, ...)`` → bool ``(...)``.

    Args:
        probabilities: of all classes.
        index: the class.
        threshold: cuts the probability of a single class, and of each of several that overlap.
        overlap: whether the classes overlap.
        labels: ``label_mask`` of the same probabilities, if it exists: it saves finding the likeliest class again.
    """
    if overlap or len(probabilities) == 1:
        return np.asarray(probabilities[index] > threshold)
    return np.asarray((probabilities.argmax(0) if labels is None else labels) == index)


def label_mask(probabilities: NDArray[np.float32], threshold: float, *, overlap: bool) -> NDArray[np.uint8]:
    """Turn probabilities ``(C, ...)`` into uint8 labels, one for each pixel.

    Where classes overlap, it is the likeliest of those above the threshold, and 0 where there is none: the other
    classes of the pixel are lost. For the mask of one class use ``class_mask``.
    """
    if len(probabilities) == 1:
        return (probabilities[0] > threshold).astype(np.uint8)
    if not overlap:
        return probabilities.argmax(0).astype(np.uint8)
    above = np.where(probabilities > threshold, probabilities, 0)
    return np.where(above.any(0), above.argmax(0) + 1, 0).astype(np.uint8)


def label_of(class_index: int, classes: int, *, overlap: bool) -> int:
    """Return the label of a class in a ``label_mask``; 0 is the background."""
    return class_index + 1 if overlap or classes == 1 else class_index
