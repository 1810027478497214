"""Mean probability: how sure the network is of the pixels in its mask."""

from __future__ import annotations

from napari_segcam.evidence.doubt.class_map import ClassMap


def mean_probability_doubt(class_map: ClassMap) -> float:
    """Return 1 − the mean probability in the mask; for an empty mask the largest probability."""
    if not class_map.mask.any():
        return float(class_map.probability.max())
    return float(1 - class_map.probability[class_map.mask].mean(dtype=float))
