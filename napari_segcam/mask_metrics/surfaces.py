"""Distances between the boundaries of two masks, by MONAI.

MONAI finds the boundaries and the distances between them. The figures are those of its ``compute_surface_dice``,
``compute_hausdorff_distance`` and ``compute_average_surface_distance``, which would do this work once for each figure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PERCENTILE = 95
NO_MONAI = 'distances of boundaries need the package monai: pip install "napari-segcam[monai]"'


@dataclass(frozen=True)
class SurfaceMetrics:
    """How far the boundaries of two masks are apart. Either all figures have a value, or none has.

    Attributes:
        surface_dice: share of the boundary pixels of both that are within the tolerance of the other's boundary.
        hd95: the larger of the two 95th percentiles of the distances from one boundary to the other.
        mean_surface_distance: mean of all distances, from either boundary to the other.
        undefined: why they are None; empty if they are not.
    """

    surface_dice: float | None = None
    hd95: float | None = None
    mean_surface_distance: float | None = None
    undefined: str = ""


def surface_implementation() -> str | None:
    """Return the package that measures the distances, with its version; None if it is not installed."""
    return f"MONAI {version('monai')}" if find_spec("monai") is not None else None


def surface_metrics(
    prediction: NDArray[np.bool_], truth: NDArray[np.bool_], spacing: tuple[float, float], tolerance: float
) -> SurfaceMetrics:
    """Measure how far the boundaries of two masks are apart.

    A pixel of a mask is on its boundary if one of its four neighbors is outside of the mask or of the frame. A distance
    is that of the centers of two boundary pixels.

    Args:
        prediction: ``(Y, X)`` bool.
        truth: ``(Y, X)`` bool.
        spacing: between rows and between columns, in the unit of the distances.
        tolerance: of the surface dice, in the same unit.

    The surface dice is that of Nikolov et al. 2021 (doi:10.2196/26151), where each boundary pixel counts as much as
    any other, as in Seidlitz et al. 2022 (arXiv:2111.05408).
    """
    empty = [name for name, mask in (("predicted mask", prediction), ("true mask", truth)) if not mask.any()]
    if empty:
        return SurfaceMetrics(undefined=f"the {' and the '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty")
    functions = _monai()
    if isinstance(functions, str):
        return SurfaceMetrics(undefined=functions)
    get_mask_edges, get_surface_distance = functions
    edges = get_mask_edges(prediction, truth, crop=False)
    to_truth, to_prediction = (
        np.asarray(get_surface_distance(one, other, spacing=spacing), np.float64) for one, other in (edges, edges[::-1])
    )
    distances = np.concatenate([to_truth, to_prediction])
    return SurfaceMetrics(
        # The distances are of single precision: so is what they are compared with.
        surface_dice=float(np.mean(distances <= np.float32(tolerance))),
        hd95=float(max(np.percentile(one, _PERCENTILE) for one in (to_truth, to_prediction))),
        mean_surface_distance=float(distances.mean()),
    )


@cache
def _monai() -> tuple[Callable[..., Any], Callable[..., Any]] | str:
    """Return MONAI's functions for boundaries and distances, or why there are none. Importing MONAI takes seconds."""
    if find_spec("monai") is None:
        return NO_MONAI
    try:
        from monai.metrics import get_mask_edges, get_surface_distance
    except Exception as error:  # such as one of its own dependencies that does not fit
        return f"the package monai cannot be imported: {type(error).__name__}"
    return get_mask_edges, get_surface_distance
