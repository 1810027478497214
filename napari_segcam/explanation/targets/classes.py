"""Classes: how a network's logits become probabilities and masks.

The classes exclude each other, or they overlap. Those that exclude each other share one softmax: every pixel has the
likeliest, and the first is the background. Those that overlap, as an organ and the lesion in it, have a sigmoid each,
as has a single class: a pixel can have several of them, or none.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray


def probabilities_of(logits: torch.Tensor, *, overlap: bool) -> torch.Tensor:
    """``(..., C, H, W)`` logits → probabilities, for a single class whatever ``overlap`` is."""
    return logits.sigmoid() if overlap or logits.shape[-3] == 1 else logits.softmax(-3)


def class_mask(
    probabilities: NDArray[np.float32],
    index: int,
    threshold: float,
    *,
    overlap: bool,
    labels: NDArray[np.uint8] | None = None,
) -> NDArray[np.bool_]:
    """Where a class is: ``(C, ...)`` probabilities → bool ``(...)``.

    Args:
        probabilities: of all classes.
        index: of the class.
        threshold: that cuts the probability of a single class, and of each of several that overlap.
        overlap: whether the classes do.
        labels: the ``label_mask`` of the same, where it is there: it saves finding the likeliest class again.
    """
    if overlap or len(probabilities) == 1:
        return np.asarray(probabilities[index] > threshold)
    return np.asarray((probabilities.argmax(0) if labels is None else labels) == index)


def label_mask(probabilities: NDArray[np.float32], threshold: float, *, overlap: bool) -> NDArray[np.uint8]:
    """``(C, ...)`` probabilities → uint8 labels, one for each pixel.

    Of classes that overlap, it is the likeliest of those above the threshold, and 0 where there is none: what lies
    under it is lost. The mask of one of them is ``class_mask``.
    """
    if len(probabilities) == 1:
        return (probabilities[0] > threshold).astype(np.uint8)
    if not overlap:
        return probabilities.argmax(0).astype(np.uint8)
    above = np.where(probabilities > threshold, probabilities, 0)
    return np.where(above.any(0), above.argmax(0) + 1, 0).astype(np.uint8)


def label_of(class_index: int, classes: int, *, overlap: bool) -> int:
    """The label that stands for a class in a ``label_mask``; 0 is the background."""
    return class_index + 1 if overlap or classes == 1 else class_index
