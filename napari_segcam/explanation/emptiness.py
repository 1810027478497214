"""Empty heatmaps: the reason why a heatmap has nothing to show."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from numpy.typing import NDArray

from napari_segcam.explanation.targets.frozen_region import is_mask
from napari_segcam.explanation.targets.target import Target


class Reason(Enum):
    """Why a heatmap is empty, in the user's words."""

    EMPTY_REGION = "the network found nothing of this class in the frame, so there is no region to explain"
    NOTHING_DRAWN = "the chosen region is empty in this frame"
    NOTHING_POSITIVE = "nothing at this stage supports the target, so no value is above zero"
    NOT_CONNECTED = "the score does not depend on this stage"
    NOT_FINITE = "the network gave values that are not numbers (NaN or infinity) at this stage"


@dataclass(frozen=True)
class Failure:
    """Why another package gave no map, in the user's words, where the package cannot be foreseen to fail."""

    value: str


def why_empty(
    target: Target,
    values: NDArray[np.float32] | None,
    score_depends: bool,
    logits: torch.Tensor,
    region: torch.Tensor | None,
    failure: str = "",
) -> Reason | Failure | None:
    """Return the reason why a frame's heatmap is empty, or None if it is not.

    Args:
        target: the explained target.
        values: the map ``(h, w)``; None where the stage did not run or the score does not depend on it.
        score_depends: whether the score depends on the stage.
        logits: ``(C, H, W)``.
        region: M ``(H, W)``; None for a method that knows no target.
        failure: why another package gave no map; empty if it did.
    """
    if failure and (region is None or region.any()):
        return Failure(failure)
    if values is None:
        return Reason.NOT_CONNECTED
    if region is not None and not region.any():
        if not is_mask(target.region):
            return Reason.NOTHING_DRAWN
        # Where the logits are NaN, no pixel is above the threshold, but the network did not find the class absent.
        return Reason.EMPTY_REGION if logits.isfinite().all() else Reason.NOT_FINITE
    if not np.isfinite(values).all():
        return Reason.NOT_FINITE
    if not values.any():
        return Reason.NOTHING_POSITIVE if score_depends else Reason.NOT_CONNECTED
    return None
