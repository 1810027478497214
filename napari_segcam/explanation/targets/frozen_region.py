"""A frozen region: M that was found from the mask of another network, such as of the ensemble that this one is in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_segcam.explanation.targets.region import Painted, Region, RegionName


@dataclass(frozen=True, eq=False)
class FrozenRegion(Painted):
    """M of an ensemble, for one of its members.

    Attributes:
        is_mask: whether it is the mask of the ensemble, so that an empty one means that nothing was found.
        on_input: the same region on the grid of the network's input ``(H, W)``, where that is known exactly.
    """

    is_mask: bool = False
    on_input: NDArray[np.bool_] | None = None


def is_mask(region: RegionName | NDArray[np.bool_] | Region) -> bool:
    """Return whether a region is the predicted mask, of this network or of the ensemble that it is in."""
    return region.is_mask if isinstance(region, FrozenRegion) else isinstance(region, str) and region == "mask"
