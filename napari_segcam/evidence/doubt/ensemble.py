"""Disagreement of several networks, or of several outputs, about one frame."""

from __future__ import annotations

from collections.abc import Sequence

from napari_segcam.evidence.doubt.class_map import ClassMap
from napari_segcam.evidence.views import agreement


def ensemble_doubt(class_maps: Sequence[ClassMap]) -> float:
    """Return 1 − the mean pairwise Dice of the masks of several networks for one frame (Lakshminarayanan et al. 2017,
    arXiv:1612.01474; Zenk et al. 2024, arXiv:2406.03323).

    Args:
        class_maps: at least two, on one grid.
    """
    return 1 - agreement([class_map.mask for class_map in class_maps])
