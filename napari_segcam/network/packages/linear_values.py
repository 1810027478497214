"""The card's normalization for values that a package scales: pixels from 0 to 1, times a gain, plus an offset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_segcam.network.model_card import IMAGENET_MEAN, IMAGENET_STD

_CLOSE = 1e-5


def linear_fields(gains: Sequence[float], offsets: Sequence[float], *, has_names: bool = True) -> dict[str, Any]:
    """Return the card fields of a normalization, the shortest that says it.

    Args:
        gains: for all channels, or one for each: value = gain · pixel + offset, where the pixel is from 0 to 1.
        offsets: as many.
        has_names: whether usual normalizations may have their own name, instead of a mean and deviation.

    Raises:
        ValueError: if a gain is not positive: then black would be brighter than white.
    """
    if any(not gain > 0 for gain in gains):
        raise ValueError(f"the values are multiplied by {min(gains):g}, which turns black and white around")
    means = tuple(-offset / gain for gain, offset in zip(gains, offsets, strict=True))
    stds = tuple(1 / gain for gain in gains)
    if has_names and _are_close(means, [0.0] * len(means)) and _are_close(stds, [1.0] * len(stds)):
        return {"normalization": "unit"}
    if has_names and _are_close(means, IMAGENET_MEAN) and _are_close(stds, IMAGENET_STD):
        return {"normalization": "imagenet"}
    if len(set(means)) == len(set(stds)) == 1:
        means, stds = means[:1], stds[:1]
    return {"normalization": "custom", "mean": means, "std": stds}


def _are_close(values: Sequence[float], others: Sequence[float]) -> bool:
    return len(values) == len(others) and all(
        abs(value - other) < _CLOSE for value, other in zip(values, others, strict=True)
    )
